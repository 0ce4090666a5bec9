"""Drawn sheets and curves."""
