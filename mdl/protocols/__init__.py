"""Conversations, and parts of them, that more than one system holds."""
