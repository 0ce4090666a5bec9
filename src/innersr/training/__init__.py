"""Training of priors: what networks know of all images before they see the one."""
