"""What a stage was off, and the augmented set that simulates it (§3.2)."""
