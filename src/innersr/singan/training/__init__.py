"""Training of one scale of SinGAN, and fine-tuning."""
