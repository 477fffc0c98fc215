"""Gradient inversion: what training images can be made out of what each role sees of an epoch."""
