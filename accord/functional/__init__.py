"""Pure mathematics on tensors: no models, settings, files or randomness."""
