"""What all else shares: the paper's vocabulary, files, params."""
