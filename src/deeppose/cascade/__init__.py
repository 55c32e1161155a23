"""Running networks: crops, training, prediction (Eq. 5–7)."""
