"""Values: what they mean, which are no data, and how they change with the depth of a file."""
