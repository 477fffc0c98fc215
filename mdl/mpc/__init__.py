"""Multi-party computation on integers modulo 2^64: what engines do for secrets, and networks on top of it."""
