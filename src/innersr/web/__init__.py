"""The local page in a browser. Holds no image processing; needs the extra web."""
