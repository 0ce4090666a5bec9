"""A trained network applied to a whole image."""
