"""Colours: profiles, standard spaces, and what a screen shows."""
