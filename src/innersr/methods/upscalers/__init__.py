"""Upscalers as modules: a method's learned networks, with a state that can be pickled or kept in a file."""
