"""Many image files in one command: which they are, and where their results go. Knows nothing about methods."""
