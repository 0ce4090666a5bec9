"""Many files in one command of `innersr upscale`: who does them, and what is reported."""
