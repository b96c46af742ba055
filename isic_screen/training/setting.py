"""Where and how a training run computes, as opposed to what it computes, which is the recipe."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from isic_screen.backbone import Weights
from isic_screen.compression import HALF
from isic_screen.processes import ALONE, Processes
from isic_screen.training.recipe import FineTuneRecipe


@dataclass(frozen=True)
class Setting:
    """Of a run by either kind of recipe."""

    out: Path
    cache: Path
    device: torch.device
    workers: int
    resume: bool = False
    weights: Weights = "imagenet"
    split_file: Path | None = None
    command: str = ""
    processes: Processes = ALONE
    teachers: tuple[Path, ...] = ()
    """Folders of finished runs (see earlier_runs.py), for fine-tuning; `members` as well."""
    members: tuple[Path, ...] = ()
    starts: tuple[FineTuneRecipe, ...] = ()
    """Where no teacher is given, the recipes of the runs to train first: this run starts from that of the first recipe,
    that one from that of the second, and so on. Each lies in a folder inside that of the run that starts from it."""
    bits: int = HALF
    """In which the model file holds large weights (see compression.py)."""
    only: tuple[int, ...] = ()
    """Folds (from 1) that are trained and nothing else, 0 being the network on all images; () is the whole run."""


def default_cache() -> Path:
    """The folder for decoded photos, features and maps where none is named: the user's own cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "isic-screen"
