"""Measures of quality, one per file."""
