"""What the file means: compiled task types, and the set of them."""
