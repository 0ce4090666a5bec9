"""What each `innersr singan` command does."""
