"""What a network's answers give away: of the examples that it was trained on, and of itself."""
