"""One reader a published set."""
