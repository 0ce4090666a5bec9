"""Work of the `innersr singan` commands."""
