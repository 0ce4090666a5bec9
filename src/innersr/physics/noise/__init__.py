"""Noise that is not Gaussian."""
