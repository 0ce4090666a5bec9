"""The forward model: blur, subsampling, noise; its adjoint and its inverses. Knows no network."""
