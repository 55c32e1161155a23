"""The weights that come with the project."""

PUBLISHED = "cpu"
"""The profile that they are of."""
PUT_BACK = "`python scripts/published.py weights` puts the published one there"
