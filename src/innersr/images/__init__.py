"""Image files and video files in and out."""
