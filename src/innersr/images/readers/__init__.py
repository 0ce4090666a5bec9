"""Image formats that libvips does not read, by the libraries that read them."""
