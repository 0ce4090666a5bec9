"""Image files apart from their pixels: one file format per module."""
