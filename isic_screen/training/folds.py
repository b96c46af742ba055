"""The folds that images are held out in: given or drawn, checked before any training, and described as they are."""

from pathlib import Path

import pandas as pd

from isic_screen.data.splits import TRAIN, VALIDATION, By, fold_rows, leak, load_split, read_split
from isic_screen.errors import DataError, TrainingError
from isic_screen.training.recipe import FineTuneRecipe, Recipe
from isic_screen.wording import listed

LEAKS = "images of one patient or lesion stand on both sides: the figures leak"
UNSEEN = "no fold's training or choice of epoch saw its images"
ON_VALIDATION = "the validation part, on which the best epoch was chosen as well: slightly optimistic"
_BY_GROUP = "by patient or lesion, where a source names them, otherwise by image"
_LEAST = 3  # images of a training part: with fewer the Gaussian of novelty.py cannot be fitted


def unit_of(recipe: Recipe) -> By:
    """What a split must not tear apart: the group (patient or lesion), or nothing larger than the image."""
    return "image" if recipe.split == "image" else "group"


def folds_of(rows: pd.DataFrame, recipe: Recipe, file: Path | None = None) -> pd.Series:
    """The fold (from 0) of each row: as the split file has it, else drawn.

    Raises DataError or TrainingError when they are not those that the recipe asks for, or leave too little to train on.
    """
    if file is None:
        folds = fold_rows(rows, folds=recipe.folds, by=unit_of(recipe), seed=recipe.seed)
    else:
        folds = load_split(file, rows)
        _check_numbers(file, folds, recipe)
    fewest = len(folds) - int(folds.value_counts().max())
    if fewest < _LEAST:
        raise DataError(
            f"A fold leaves {fewest} of {len(folds)} images to train on, and {_LEAST} are needed at least: add images."
        )
    return folds


def check_split_file(file: Path, recipe: Recipe) -> None:
    """Raises DataError or TrainingError for a file that is no split of the recipe's kind, whatever the images."""
    parts = read_split(file)
    if isinstance(recipe, FineTuneRecipe):
        _check_numbers(file, parts, recipe)
    elif parts.dtype.kind == "i":
        raise TrainingError(f"{file} has fold numbers: a head needs the parts {TRAIN} and {VALIDATION}.")


def basis_of(held_out: pd.DataFrame) -> str:
    """How the held-out images, which have their `fold` and `group`, came to be held out."""
    kept_apart = leak(held_out, held_out["fold"]) is None
    return f"{held_out['fold'].nunique()}-fold cross-validation" + (f" {_BY_GROUP}" if kept_apart else f"; {LEAKS}")


def _check_numbers(file: Path, parts: pd.Series, recipe: Recipe) -> None:
    if parts.dtype.kind != "i":
        raise TrainingError(f"{file} has two parts: fine-tuning needs fold numbers.")
    if set(parts) != set(range(recipe.folds)):
        raise TrainingError(
            f"{file} has the folds {listed(sorted(set(parts)))}, but the recipe's are 0 to {recipe.folds - 1}: "
            f"number them from 0 and --set folds={parts.nunique()}, or give another split."
        )
