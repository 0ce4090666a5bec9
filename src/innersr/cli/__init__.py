"""The command line."""

from innersr.cli.app import app, main

__all__ = ["app", "main"]
