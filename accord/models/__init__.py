"""Models: the only layer that loads and calls networks."""
