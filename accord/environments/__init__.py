"""Reinforcement learning in general: states, actions, rewards, and three small environments.

``python -m accord.environments`` plays them all; docs/concepts/reinforcement_learning.md explains.
"""
