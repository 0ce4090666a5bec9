"""Architectures, and their weights on disk."""
