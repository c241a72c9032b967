"""Settings of a run: the frozen value, and where it comes from."""
