"""The network that a recipe starts from, and whether it can be trained by that recipe."""

from dataclasses import replace

import torch

from isic_screen.backbone import takes_image_size
from isic_screen.errors import RecipeError
from isic_screen.network import ScreenNet
from isic_screen.processes import Processes
from isic_screen.training.experiment import Setting, network_of
from isic_screen.training.fine_tuning import check_shares
from isic_screen.training.recipe import FineTuneRecipe
from isic_screen.training.stem import parts_in_two


def build(recipe: FineTuneRecipe, setting: Setting) -> ScreenNet:
    """In eval mode, its head as the seed has it."""
    torch.manual_seed(recipe.seed)  # the head's first weights
    return as_judged(network_of(recipe, setting), recipe)


def check(network: ScreenNet, recipe: FineTuneRecipe, processes: Processes) -> None:
    """Raise RecipeError for lines of the recipe that the network or the processes cannot follow.

    To be called before the long work: a mistake should not cost an hour of decoding. Freezes the stages.
    """
    size = network.input_spec.size
    if takes_image_size(recipe.backbone) and {recipe.first_size, recipe.train_size} != {size}:
        raise RecipeError(
            f"{recipe.backbone} takes one size only, its input size: --set first_size={size} --set train_size={size}."
        )
    try:
        network.freeze_stages(recipe.frozen_stages)
    except ValueError as error:
        raise RecipeError(f"frozen_stages: {error}.") from error
    if recipe.stem_uses and not parts_in_two(recipe.backbone):
        raise RecipeError(f"stem_uses: the first stages of {recipe.backbone} cannot be computed apart: set it to 0.")
    check_shares(recipe, processes)


def as_judged(network: ScreenNet, recipe: FineTuneRecipe) -> ScreenNet:
    """As it will be served. Members may be asked at another size than they were trained for, if they take several.

    Raises ValueError when they do not.
    """
    spec = network.input_spec
    size = recipe.input_size or spec.size
    if size != spec.size and takes_image_size(recipe.backbone):
        raise ValueError(f"{recipe.backbone} takes one size only, {spec.size}: --set input_size={spec.size}")
    network.input_spec = replace(spec, views=recipe.views, size=size)
    return network
