"""Blind predictions: two parties, of whom one has images and the other a network; see `asking`."""
