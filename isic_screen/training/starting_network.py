"""The network that a recipe starts from, by itself or from earlier runs, and whether it can be trained so."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from isic_screen.artifact import as_stored, check_shapes
from isic_screen.backbone import takes_image_size, told
from isic_screen.committee import committee_of
from isic_screen.errors import RecipeError
from isic_screen.folding import alike, probe_of
from isic_screen.network import ScreenNet
from isic_screen.processes import Processes
from isic_screen.training.earlier_runs import EarlierRun, checkpoint_of, parts_of
from isic_screen.training.fine_tuning import WithDiagnosis, check_shares, parameter_groups
from isic_screen.training.precision import amp_dtype, autocast, fast_depthwise
from isic_screen.training.recipe import FineTuneRecipe, Recipe
from isic_screen.training.schedule import size_at
from isic_screen.training.setting import Setting
from isic_screen.training.stem import of_first_stages, parts_in_two


def build(recipe: FineTuneRecipe, setting: Setting) -> ScreenNet:
    """In eval mode, its head as the seed has it."""
    torch.manual_seed(recipe.seed)  # the head's first weights
    return as_judged(recipe.network(setting.weights), recipe)


def try_out(recipe: Recipe, setting: Setting) -> None:
    """Train and ask the network of a recipe once, with two images of noise, before any data are read.

    Raises WeightsError or RecipeError with what does not fit, and what to give instead. Of members nothing is built:
    they have been trained and asked before.
    """
    if setting.members:
        return
    with torch.random.fork_rng(devices=[]), told(recipe.backbone, "train"):
        if isinstance(recipe, FineTuneRecipe):
            started = bool(setting.teachers) and recipe.from_teacher  # then all weights are theirs
            network = build(recipe, replace(setting, weights=None) if started else setting)
            recipes = (*setting.starts, recipe)
            for each in recipes:
                check(network, each, setting.processes)
            sizes = {size_at(epoch, each) for each in recipes for epoch in range(1, each.epochs + 1)}
        else:
            network = recipe.network(setting.weights)
            network.freeze_backbone()
            sizes = {network.input_spec.size}
        _check_answers(network, recipe)
        _check_training(network, recipe, sizes, setting.device)


def _check_answers(network: ScreenNet, recipe: Recipe) -> None:
    """Raise an error unless it says the same in training and when it is served, and again from a model file."""
    probe = probe_of(network)
    with torch.no_grad():
        if not alike((network.forward_whole(probe).logits,), (network(probe),)):
            raise ValueError("with and without a middle stage it says different things")
        with torch.device("meta"):
            check_shapes(replace(recipe, input_size=network.input_spec.size).network(None), network.state_dict())
        if not all(output.isfinite().all() for output in as_stored(network).forward_whole(probe)):
            raise ValueError("its weights in half precision give values that are not numbers")


def _check_training(network: ScreenNet, recipe: Recipe, sizes: Iterable[int], device: torch.device) -> None:
    """Raise an error unless gradients come out of images of these sizes in pixels. Changes the network."""
    module = WithDiagnosis(network).to(device).to(memory_format=torch.channels_last).train()
    if isinstance(recipe, FineTuneRecipe):
        parameter_groups(module, recipe)
    dtype = amp_dtype(device, recipe.amp)
    for size in sorted(sizes):
        with autocast(device, dtype), fast_depthwise(device):
            logits, diagnoses = module(torch.randn(2, 3, size, size, device=device))
        (logits.float().sum() + diagnoses.float().sum()).backward()


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


def check_earlier(
    recipe: FineTuneRecipe,
    setting: Setting,
    teachers: Sequence[EarlierRun],
    members: Sequence[EarlierRun],
    start: EarlierRun | None,
) -> None:
    """Raise RecipeError or TrainingError where a run cannot build on these, as far as their files tell.

    `start` is the teacher that it starts from.
    """
    if start and not recipe.same_shape(start.recipe):
        raise RecipeError(
            f"{start.folder} has another backbone or head than the recipe, which cannot start from it: "
            "name another teacher last, or --set from_teacher=false."
        )
    if len(teachers) > 1 and not recipe.teaching:
        raise RecipeError(
            f"teaching is 0, so that nothing would be learnt of the answers of {len(teachers)} teachers: "
            "--set teaching=0.5, or give only the one to start from."
        )
    if (start or members) and isinstance(setting.weights, Path):
        raise RecipeError(
            f"--backbone-weights {setting.weights} would not be used, as the weights are those of "
            f"{(start or members[0]).folder}: leave it out."
        )
    for earlier in (*teachers, *members):
        earlier.check_finished(parts_of(recipe, setting.only))


def take_first_stages(network: ScreenNet, start: EarlierRun, recipe: FineTuneRecipe) -> None:
    """Give `network`, which rounds of maps are computed with (stem.py), the frozen stages of the run to start from.

    Raises RecipeError where its networks differ in them, as after training with those stages open: maps that were
    computed once for all folds would then be those of another network than the one that is trained on them and served.
    """
    prefix, count = "network.backbone.", recipe.frozen_stages
    found = []
    for part in parts_of(recipe):
        weights = start.weights(checkpoint_of(part))
        backbone = {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
        found.append(of_first_stages(backbone, count))
    first, *others = found
    if any(not torch.equal(other[name], tensor) for other in others for name, tensor in first.items()):
        raise RecipeError(
            f"stem_uses: each network of {start.folder} has first stages of its own, which cannot be computed once for "
            "all folds: --set stem_uses=0."
        )
    network.backbone.load_state_dict({**network.backbone.state_dict(), **first})


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


def together(members: Sequence[EarlierRun], name: str, recipe: FineTuneRecipe) -> ScreenNet:
    """The networks of the checkpoint `name` as a committee, or the only one, judged as the recipe says."""
    networks = [member.module(name).network for member in members]
    try:
        return as_judged(committee_of(networks) if len(networks) > 1 else networks[0], recipe)
    except ValueError as error:
        raise RecipeError(f"--member: {error}.") from error
