"""`python -m innersr` is `innersr`."""

from innersr.cli import main

main()
