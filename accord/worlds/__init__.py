"""Worlds: a small assistant's world with a written-down truth. Pure Python.

facts       what is true in a world; the seed decides all of it
asking      what people ask of it       answers, flaws   how it is answered, well and badly
documents   its web, for pretraining    prompts, crowd   what post-training is given
judge       the truth about a response  labelers         simulated people who rank responses
"""
