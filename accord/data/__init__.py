"""Data: text to tensors and back; a tokenizer is an argument, a model never is."""
