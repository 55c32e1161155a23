"""The claims of the paper's text, with verdicts."""
