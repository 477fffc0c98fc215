"""Cryptography as local steps: no I/O, no hidden state, no event loop."""
