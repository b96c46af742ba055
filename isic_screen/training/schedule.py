"""How the learning rate and the size of the images change in the course of a fine-tuning."""

import math

from isic_screen.training.recipe import FineTuneRecipe

_SIZE_STEP = 16  # pixels by which training images grow


def rate_at(step: int, steps: int, warm_up: int) -> float:
    """The learning rate at a step (from 0) as a share of its peak: a linear rise, then half a cosine to 0."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def size_at(epoch: int, recipe: FineTuneRecipe) -> int:
    """The side in pixels of the training images of an epoch (from 1): `first_size` to `train_size` in equal stages.

    Small images first cost less than half as much and teach the coarse things (Tan and Le, EfficientNetV2, 2021,
    section 4). The last epoch is always at `train_size`.
    """
    stages = -(-(recipe.train_size - recipe.first_size) // _SIZE_STEP) + 1
    left = (recipe.epochs - epoch) * stages // recipe.epochs
    return max(recipe.first_size, recipe.train_size - _SIZE_STEP * left)
