"""One image upscaled, from file to file or in memory: examine, adapt, upscale, save."""
