"""PyTorch: data sets and how they are split, models, flat vectors, local training."""
