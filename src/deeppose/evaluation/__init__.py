"""Errors of predictions, and the rates read from them (§4.1)."""
