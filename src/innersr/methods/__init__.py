"""Super-resolution methods: one paper, one file; `registry` has them by name."""
