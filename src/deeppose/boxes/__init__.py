"""Initial boxes b⁰ (§4.1): the full image, or an enlarged face."""
