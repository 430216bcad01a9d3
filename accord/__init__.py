"""Accord: reinforcement learning from human feedback, from the key press to the policy."""

__all__ = ["__version__"]

__version__ = "0.1.0"
