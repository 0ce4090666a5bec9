"""Methods x degradations x images in one table."""
