"""Archives of the published sets: what is in them, checksums, downloads."""
