"""Attacks on the protocols, printed and ours: what a coalition opens, by trial and by exhaustive algebra.

Everything here plays the adversary. Nothing else of the package imports it.
"""
