"""Training of priors: what networks know about images in general before they see the one."""
