"""The published sets: where they come from, how they are read, what is found in them."""
