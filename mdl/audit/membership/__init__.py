"""Membership inference: whether an example was trained on, told from a model's loss on it."""
