"""Recipes, the feature cache, the training loop and its checkpoints."""
