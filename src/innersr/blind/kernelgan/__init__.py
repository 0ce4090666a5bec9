"""KernelGAN: blur kernel estimation by a GAN on one image (Bell-Kligler, NeurIPS 2019)."""
