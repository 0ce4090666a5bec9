"""`python -m innersr` is `innersr`."""

from __future__ import annotations

from innersr.cli import main

main()
