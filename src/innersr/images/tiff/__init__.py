"""TIFF files: their tags, the pixels that libvips cannot read, and what it cannot write."""
