"""PyTorch: data sets and how they are split, models, local training, flat vectors. Satisfies `mdl.system.Learner`."""
