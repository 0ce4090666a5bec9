"""Samples without training: every patch becomes its nearest one of the picture, from coarse to fine."""
