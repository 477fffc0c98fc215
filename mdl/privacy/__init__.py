"""Differential privacy: noise on what a worker contributes, and the account of what was spent."""
