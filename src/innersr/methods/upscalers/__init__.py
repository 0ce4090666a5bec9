"""Upscalers as modules: what a method learnt, with a state, to be pickled or kept in a file."""
