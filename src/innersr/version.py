"""The version of this package, of which the distribution takes its own."""

__version__ = "0.1.0"
