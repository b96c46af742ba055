"""Finished runs that a new one builds on: as members of a committee, or as teachers.

Either way the networks of a fold must not have seen what the new one is to be judged on, so the folds have to be the
same.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from isic_screen.data.splits import load_split
from isic_screen.errors import RecipeError, TrainingError
from isic_screen.training.checkpoint import StateDict, read_checkpoint
from isic_screen.training.fine_tuning import WithDiagnosis
from isic_screen.training.recipe import FineTuneRecipe, load_recipe

RECIPE_FILE = "recipe.toml"
SPLIT_FILE = "split.csv"
FINAL = "checkpoint.safetensors"
"""In the folder of a run: the checkpoint of the network that was trained on all images."""


def checkpoint_of(part: int) -> str:
    """In the folder of a run: the checkpoint of a fold's network (from 1), or of that of all images (0)."""
    return f"folds/fold-{part}.safetensors" if part else FINAL


def parts_of(recipe: FineTuneRecipe, only: Sequence[int] = ()) -> Sequence[int]:
    """The networks that a run trains, in order: `only` some (`Setting.only`), or those of all folds and the last."""
    return only or (*range(1, recipe.folds + 1), 0)


@dataclass(frozen=True)
class EarlierRun:
    """A finished fine-tuning run: `folder` as train/run.py wrote it."""

    folder: Path
    recipe: FineTuneRecipe

    @classmethod
    def of(cls, folder: Path) -> "EarlierRun":
        """Raises RecipeError when the folder is no fine-tuning run."""
        file = folder / RECIPE_FILE
        if not file.is_file():
            raise RecipeError(f"{folder} is no run to build on: it has no {RECIPE_FILE}. Give the --out of one.")
        recipe = load_recipe(str(file))
        if not isinstance(recipe, FineTuneRecipe):
            raise RecipeError(f"{folder} cannot be built on: the method {recipe.method!r} trains no whole network.")
        return cls(folder, recipe)

    @property
    def recipe_file(self) -> Path:
        return self.folder / RECIPE_FILE

    @property
    def split_file(self) -> Path:
        """The folds that its networks were kept from."""
        return self.folder / SPLIT_FILE

    def check_folds(self, rows: pd.DataFrame, folds: pd.Series) -> None:
        """Raise TrainingError unless each of its networks was kept from the same rows as the new one will be."""
        if not load_split(self.split_file, rows).equals(folds.astype("int64").rename("part")):
            raise TrainingError(
                f"{self.folder} was trained on other folds: it has seen images that the new run is to be judged on. "
                f"Take its folds, by --split {self.split_file}."
            )

    def facts(self) -> dict[str, Any]:
        """What a model file says of it."""
        recipe = {"method": self.recipe.method, **asdict(self.recipe)}
        return {"run": self.folder.name, "sha256": self.sha256(FINAL), "recipe": recipe}

    def sha256(self, name: str) -> str:
        """Of the checkpoint `name`, such as folds/fold-1.safetensors."""
        return hashlib.sha256(self._file(name).read_bytes()).hexdigest()

    def check_finished(self, parts: Sequence[int]) -> None:
        """Raise TrainingError unless the networks of these `parts` (as of `checkpoint_of`) have been trained."""
        for part in parts:
            self.weights(checkpoint_of(part))

    def weights(self, name: str) -> StateDict:
        """The averaged weights that the checkpoint `name` ended with. Raises TrainingError when it has not ended."""
        file = self._file(name)
        state = read_checkpoint(file)
        if len(state.history) < self.recipe.epochs:
            raise TrainingError(
                f"{file} is from epoch {len(state.history)} of {self.recipe.epochs}: let that run finish first."
            )
        return state.best

    def module(self, name: str) -> WithDiagnosis:
        """The network of the checkpoint `name`, in eval mode."""
        module = WithDiagnosis(self.recipe.network(None))
        module.load_state_dict(self.weights(name))
        return module.eval()

    def _file(self, name: str) -> Path:
        file = self.folder / name
        if not file.is_file():
            raise TrainingError(f"{self.folder} cannot be built on: {file} is missing. Keep the checkpoints of a run.")
        return file
