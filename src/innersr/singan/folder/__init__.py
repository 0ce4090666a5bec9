"""The folder that a SinGAN model is kept in."""
