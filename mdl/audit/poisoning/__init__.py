"""A peer whose labels are wrong: what it does to the other one's model."""
