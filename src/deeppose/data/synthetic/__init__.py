"""Synthetic people in the layouts of the published archives."""
