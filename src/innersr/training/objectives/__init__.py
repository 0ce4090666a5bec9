"""What each prior is trained for: one file per prior."""
