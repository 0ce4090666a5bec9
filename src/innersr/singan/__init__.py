"""SinGAN: learn one picture by a pyramid of light GANs, then sample, enlarge, paint, edit, harmonize, animate."""
