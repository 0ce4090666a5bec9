"""Pictures drawn from formulas and seeds: kinds that folders of photographs lack. No prior is trained on them."""
