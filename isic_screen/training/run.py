"""A whole training run: read, split, train, cross-validate; and, by model_file.py, calibrate, evaluate, write."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from timm import is_model

from isic_screen.data.splits import TRAIN, VALIDATION, fold_rows, leak, split_rows
from isic_screen.data.tables import DataSet, read_sources
from isic_screen.errors import RecipeError, TrainingError
from isic_screen.evaluation.figure_labels import images_by_group
from isic_screen.evaluation.figures import save_curves
from isic_screen.evaluation.fine_tuning_curves import save_fine_tuning_curves
from isic_screen.novelty import KNOWN_SHARE, cut_off_of
from isic_screen.progress import say
from isic_screen.training.earlier_runs import FINAL, RECIPE_FILE, EarlierRun, checkpoint_of, parts_of
from isic_screen.training.experiment import Experiment
from isic_screen.training.filled_table import locked
from isic_screen.training.folds import LEAKS, ON_VALIDATION, UNSEEN, basis_of, check_split_file, folds_of, unit_of
from isic_screen.training.model_file import MODEL_FILE, Trained, finish
from isic_screen.training.recipe import FineTuneRecipe, HeadRecipe, Recipe
from isic_screen.training.setting import Setting
from isic_screen.training.starting_network import try_out
from isic_screen.training.stem import parts_in_two
from isic_screen.training.whole_network import WholeNetwork
from isic_screen.whole_file import whole_file
from isic_screen.wording import counted

CALIBRATION_FOLDS = 5
START = "start"
"""In the folder of a run: that of the run that it started from, where it trained one."""


def train(folders: Sequence[Path], recipe: Recipe, about: dict[str, Any], setting: Setting) -> Path:
    """Run `recipe` on the data sets in `folders`; returns the path of the model file.

    Of several processes only the main one calibrates, reports and writes; the others are done before it.
    Raises a ScreenError when data, recipe or weights are not usable; everything that can be checked is checked
    before the first epoch.
    """
    if isinstance(recipe, HeadRecipe) and (setting.teachers or setting.members or setting.only):
        raise RecipeError(
            f"--teacher, --member and --only need whole networks: the method {recipe.method!r} trains none."
        )
    if isinstance(recipe, FineTuneRecipe):
        recipe, setting = _followed(recipe, setting)
    _refuse_another_run(setting.out, recipe, setting.resume)
    setting.processes.wait()  # until none looks any more, as the main one will write there
    try_out(recipe, setting)
    data = read_sources(folders)
    for warning in data.warnings:
        say(f"Warning: {warning}")
    if isinstance(recipe, FineTuneRecipe):
        if setting.only:
            _train_parts(data, recipe, setting)
            return setting.out / MODEL_FILE
        trained = _train_whole(data, recipe, setting)
    elif isinstance(recipe, HeadRecipe):
        trained = _train_head(data, recipe, setting)
    else:
        raise TypeError(f"a recipe of an unknown kind: {type(recipe).__name__}")
    if setting.processes.main:
        finish(trained, data, recipe, about, setting)
    return setting.out / MODEL_FILE


def _followed(recipe: FineTuneRecipe, setting: Setting) -> tuple[FineTuneRecipe, Setting]:
    """The recipes of the run, those that it starts from among them, as far as their backbone can follow."""
    recipes = (recipe, *setting.starts)
    known = is_model(recipe.backbone)  # of another it will be said that there is none
    if parts_in_two(recipe.backbone) or not known or not any(each.stem_uses for each in recipes):
        return recipe, setting
    say(f"The first stages of {recipe.backbone} cannot be computed apart: it is trained by stem_uses = 0.")
    recipe, *starts = (replace(each, stem_uses=0) for each in recipes)
    return recipe, replace(setting, starts=tuple(starts))


def _train_head(data: DataSet, recipe: HeadRecipe, setting: Setting) -> Trained:
    """A head on a frozen backbone, its best epoch chosen on a validation part."""
    out = setting.out
    _check_splits(data.rows, recipe, setting)
    run = Experiment.prepare(data, recipe, setting)
    _take_folder(setting, recipe)
    parts = run.split()
    validation = run.rows[parts == VALIDATION]

    # Before training, so that a validation part too small to calibrate on is told at once.
    calibration_folds = run.folds_of(validation, _calibration_folds(validation))
    say(f"Training on {_count(run.rows[parts == TRAIN])}; validating on {_count(validation)}.")
    head, finished = run.fit_part(parts == TRAIN, parts == VALIDATION, out / "checkpoint.safetensors")
    _write_history(setting, finished.history, save_curves)

    if recipe.folds:
        held_out = run.cross_validate()
        leaks = leak(held_out, held_out["fold"])
        basis = f"{basis_of(held_out)}; {UNSEEN}"
    else:
        held_out = validation.assign(logit=run.logits(head, parts == VALIDATION), fold=calibration_folds)
        leaks = leak(run.rows, parts)
        basis = f"{ON_VALIDATION}; {LEAKS}" if leaks else ON_VALIDATION
    run.network.head = head
    facts = {
        "sources": _sources(run.rows),
        "training_part": counts_of(run.rows[parts == TRAIN]),
        "validation_part": counts_of(validation),
        "unreadable": len(run.unreadable),
        "best_epoch": finished.best_epoch,
        "validation_auc": finished.history[finished.best_epoch - 1]["validation_auc"],
    }
    return Trained(run.network, held_out, basis, leaks, facts)


def _train_whole(data: DataSet, recipe: FineTuneRecipe, setting: Setting) -> Trained:
    """A whole network on all images; what it can do is judged by its twins in cross-validation."""
    folds_of(data.rows, recipe)  # data that cannot be split are told before hours of decoding
    run = WholeNetwork.prepare(data, recipe, setting)
    _take_folder(setting, recipe)
    run = _started(run, data)
    held_out = run.cross_validate(run.folds())
    say(f"All images: {_count(run.rows)}.")
    network, history = run.fit(run.rows, setting.out / FINAL)
    if history:
        _write_history(setting, history, save_fine_tuning_curves)
    # The cut-off comes from held-out photos: to the network that was trained on them they would look too familiar.
    cut_off = cut_off_of(held_out["novelty"].to_numpy(float), held_out["source"].to_numpy(str))
    novelty = run.fit_novelty(network, run.rows).with_cut_off(cut_off)
    basis, leaks = basis_of(held_out), leak(held_out, held_out["fold"])
    facts = {
        "sources": _sources(run.rows),
        "training_part": counts_of(run.rows),
        "unreadable": len(run.unreadable),
        "teachers": [teacher.facts() for teacher in run.teachers],
        "members": [member.facts() for member in run.members],
        "novelty": {"cut_off": cut_off, "share_known": KNOWN_SHARE},
    }
    return Trained(network, held_out, basis, leaks, facts, novelty)


def _train_parts(data: DataSet, recipe: FineTuneRecipe, setting: Setting) -> None:
    """Some networks of a run and nothing else, for a whole run to go on from."""
    if strange := [part for part in setting.only if not 0 <= part <= recipe.folds]:
        raise RecipeError(
            f"--only {strange[0]}: the folds are 1 to {recipe.folds}, and 0 is the network on all images."
        )
    folds_of(data.rows, recipe)  # data that cannot be split are told before hours of decoding
    run = WholeNetwork.prepare(data, recipe, setting)
    _take_folder(setting, recipe)
    run = _started(run, data)
    folds = run.folds()
    if any(setting.only):
        run.cross_validate(folds)
    if 0 in setting.only:
        say(f"All images: {_count(run.rows)}.")
        run.fit(run.rows, setting.out / FINAL)


def _started(run: WholeNetwork, data: DataSet) -> WholeNetwork:
    """The same run with a teacher, where its recipe wants to go on from one: trained first, if none was given."""
    setting, recipe = run.setting, run.recipe
    if not recipe.from_teacher or setting.teachers or setting.members:
        return run
    if not setting.starts:
        say("Warning: the recipe goes on from a finished run, and there is none: it starts from ImageNet's weights.")
        return run
    say(f"First a run to start from, by the recipe {recipe.start_recipe}.")
    start, *before = setting.starts
    first = WholeNetwork.prepare(data, start, replace(setting, out=setting.out / START, starts=tuple(before)))
    _take_folder(first.setting, start)
    first = _started(first, data)
    folds = first.folds()
    for part in parts_of(recipe, setting.only):
        place = f"fold {part} of {recipe.folds}" if part else f"all images, {_count(first.rows)}"
        say(f"{recipe.start_recipe}: {place}.")
        # Not judged: its networks are only started from.
        first.fit(first.rows[folds != part - 1], first.setting.out / checkpoint_of(part))
    say(f"Now what starts from {first.setting.out}.")
    return replace(run, teachers=(EarlierRun.of(first.setting.out),))


def _sources(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    return {str(source): counts_of(part) for source, part in rows.groupby("source")}


def _take_folder(setting: Setting, recipe: Recipe) -> None:
    """Only when data and recipe were found usable: after a mistake the same command can be given again."""
    if setting.processes.main:
        setting.out.mkdir(parents=True, exist_ok=True)
        with locked(setting.out), whole_file(setting.out / RECIPE_FILE) as unfinished:
            unfinished.write_text(recipe.to_toml(), encoding="utf-8")
    setting.processes.wait()


def _check_splits(rows: pd.DataFrame, recipe: HeadRecipe, setting: Setting) -> None:
    """Raise DataError for data that cannot be split, before the backbone has seen hours of images."""
    split = partial(split_rows, fraction=recipe.validation_fraction, by=unit_of(recipe), seed=recipe.seed)
    split(rows)
    if recipe.folds:
        folds = fold_rows(rows, folds=recipe.folds, by=unit_of(recipe), seed=recipe.seed)
        for fold in range(recipe.folds):  # each has a validation part of its own (Experiment.cross_validate)
            split(rows[folds != fold])
    if setting.split_file:
        check_split_file(setting.split_file, recipe)


def _calibration_folds(validation: pd.DataFrame) -> int:
    """Five folds to cross-fit the calibration on, or fewer where a class has fewer patients."""
    return max(2, min(CALIBRATION_FOLDS, *(rows["group"].nunique() for _, rows in validation.groupby("target"))))


def _refuse_another_run(out: Path, recipe: Recipe, resume: bool) -> None:
    """Raise TrainingError when the output folder holds a run that this one would overwrite."""
    file = out / RECIPE_FILE
    if file.is_file() and not resume:
        raise TrainingError(f"{out} holds a run already. Go on with it by --resume, or give another --out.")
    if file.is_file() and file.read_text(encoding="utf-8") != recipe.to_toml():
        raise TrainingError(f"{out} holds a run with another recipe. Give the same one, or another --out.")


def _write_history(
    setting: Setting, epochs: list[dict[str, float]], draw: Callable[[pd.DataFrame, Path], None]
) -> None:
    if setting.processes.main:
        history = pd.DataFrame(epochs)
        history.to_csv(setting.out / "history.csv", index=False)
        draw(history, setting.out / "curves.png")


def counts_of(rows: pd.DataFrame) -> dict[str, int]:
    """How many images, melanomas, and patients or lesions these rows are."""
    return {"images": len(rows), "melanomas": int(rows["target"].sum()), "groups": int(rows["group"].nunique())}


def _count(rows: pd.DataFrame) -> str:
    counts = counts_of(rows)
    return f"{images_by_group(counts['images'], counts['groups'])}, {counted(counts['melanomas'], 'melanoma')}"
