"""Blind estimation: the blur, noise and compression of one image."""
