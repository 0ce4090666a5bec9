"""Training of priors on many images: objectives, one loop for all of them, resumption, several processes."""
