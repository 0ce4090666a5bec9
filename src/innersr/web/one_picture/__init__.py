"""The tab "One picture": what SinGAN learns from one picture, and makes of it."""
