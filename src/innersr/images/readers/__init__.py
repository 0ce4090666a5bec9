"""Image formats that libvips does not read: one reader per file, each by a library of its own."""
