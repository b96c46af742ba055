"""A recipe like `screen`, but for a network, images and epochs so small that training takes a second."""

from dataclasses import replace
from typing import Any

from isic_screen.training.recipe import FineTuneRecipe, load_recipe

SMALL: dict[str, Any] = {
    "backbone": "tf_efficientnet_lite0",
    "input_size": 64,
    "first_size": 48,
    "train_size": 64,
    "pixels": 72,
    "epochs": 2,
    "epoch_images": 32,
    "batch_size": 8,
    "hidden": 16,
    "amp": False,
    "frozen_stages": 2,
}


def small_recipe(**lines: Any) -> FineTuneRecipe:
    """The recipe, with some lines of its own."""
    recipe = load_recipe("screen")
    assert isinstance(recipe, FineTuneRecipe)
    return replace(recipe, **{**SMALL, **lines})
