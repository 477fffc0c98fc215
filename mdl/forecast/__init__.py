"""What a run that computes on secrets will cost, from a part of it that is tried in memory."""
