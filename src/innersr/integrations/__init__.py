"""Interfaces to other libraries and programs: deepinv, Hugging Face, napari, notebooks."""
