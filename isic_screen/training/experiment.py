"""Runs of a head on a frozen backbone: the images, their features, and heads trained on parts of them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from isic_screen.data.images import find_unreadable
from isic_screen.data.splits import TRAIN, VALIDATION, fold_rows, leak, load_split, save_split, split_rows
from isic_screen.data.tables import DataSet
from isic_screen.network import Head, ScreenNet
from isic_screen.progress import say, say_set_aside
from isic_screen.training.augmentation import Augmentation
from isic_screen.training.batches import Batches, FeatureBatches, ImageBatches
from isic_screen.training.features import FeatureExtractor, Features
from isic_screen.training.folds import unit_of
from isic_screen.training.loop import Fit, fit, predict
from isic_screen.training.precision import amp_dtype
from isic_screen.training.recipe import HeadRecipe
from isic_screen.training.setting import Setting


@dataclass(frozen=True)
class Experiment:
    """The data a run can use, and the network it trains the head of."""

    data: DataSet
    rows: pd.DataFrame
    """Readable images; the index is the row of `features` when there are any."""
    unreadable: list[str]
    recipe: HeadRecipe
    setting: Setting
    network: ScreenNet
    features: Features | None

    @classmethod
    def prepare(cls, data: DataSet, recipe: HeadRecipe, setting: Setting) -> "Experiment":
        """Build the network, compute its features when they are cached, and set unreadable images aside."""
        network = recipe.network(setting.weights)
        network.freeze_backbone()
        rows = data.rows.reset_index(drop=True)
        paths = rows["path"].tolist()
        features = None
        if recipe.feature_views:
            extractor = FeatureExtractor(
                network,
                _augmentation(recipe),
                recipe.feature_views,
                recipe.seed,
                setting.device,
                amp_dtype(setting.device, recipe.amp),
                setting.workers,
                setting.processes,
            )
            features = extractor.cached(paths, setting.cache)
            readable, unreadable = rows.drop(index=list(features.unreadable)), list(features.unreadable.values())
        else:
            readable, failures = find_unreadable(rows, setting.workers, setting.processes)
            unreadable = [reason for _, reason in failures]
        say_set_aside(unreadable, len(rows))
        return cls(data, readable, unreadable, recipe, setting, network, features)

    def split(self) -> pd.Series:
        """TRAIN or VALIDATION for each row, saved to split.csv; says so when patients stand on both sides."""
        if self.setting.split_file is not None:
            parts = load_split(self.setting.split_file, self.rows)
        else:
            parts = split_rows(
                self.rows, fraction=self.recipe.validation_fraction, by=unit_of(self.recipe), seed=self.recipe.seed
            )
        if self.setting.processes.main:
            save_split(self.setting.out / "split.csv", self.rows, parts)
        if warning := leak(self.rows, parts):
            say(f"Warning: {warning}")
        return parts

    def folds_of(self, rows: pd.DataFrame, folds: int) -> pd.Series:
        """The fold (from 0) of each of `rows`, split as the recipe says."""
        return fold_rows(rows, folds=folds, by=unit_of(self.recipe), seed=self.recipe.seed)

    def cross_validate(self) -> pd.DataFrame:
        """Held-out logits of every image, from models that saw neither the image nor its patient in any way.

        Each fold's model picks its best epoch on a validation part of its own, taken from the other folds.
        """
        folds = self.folds_of(self.rows, self.recipe.folds)
        logits = pd.Series(np.nan, index=self.rows.index)
        for fold in range(self.recipe.folds):
            others = self.rows[folds != fold]
            inner = split_rows(
                others, fraction=self.recipe.validation_fraction, by=unit_of(self.recipe), seed=self.recipe.seed
            )
            inner = inner.reindex(self.rows.index, fill_value="held out")
            say(f"Fold {fold + 1} of {self.recipe.folds}")
            head, _ = self.fit_part(
                inner == TRAIN, inner == VALIDATION, self.setting.out / "folds" / f"fold-{fold + 1}.safetensors"
            )
            logits[folds == fold] = self.logits(head, folds == fold)
        return self.rows.assign(logit=logits, fold=folds)

    def fit_part(self, training: pd.Series, validation: pd.Series, checkpoint: Path) -> tuple[Head, Fit]:
        """A head trained on some rows, its best epoch chosen on others. The masks are over `rows`."""
        torch.manual_seed(self.recipe.seed)
        head = Head(self.network.head.hidden.in_features, self.recipe.hidden, self.recipe.dropout)
        module = self._module(head)
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        finished = fit(
            module,
            self._batches(training),
            self._batches(validation),
            self.recipe,
            device=self.setting.device,
            checkpoint=checkpoint,
            fingerprint=self._fingerprint(training, validation),
            resume=self.setting.resume,
            processes=self.setting.processes,
        )
        return head, finished

    def logits(self, head: Head, mask: pd.Series) -> NDArray[np.float64]:
        """Logits (n,) of the n rows that `mask`, which is over all `rows`, lets through, in fp32 and in order."""
        return predict(self._module(head), self._batches(mask), self.setting.device, self.setting.processes)

    def _module(self, head: Head) -> nn.Module:
        """What the batches go into: the head alone for features, the whole network for images."""
        if self.features is not None:
            return head
        self.network.head = head
        return self.network

    def _batches(self, mask: pd.Series) -> Batches:
        rows = self.rows[mask]
        targets = np.array(rows["target"], np.int64)  # a copy: pandas' own memory is read-only, which torch minds
        recipe = self.recipe
        if self.features is not None:
            indices = rows.index.to_numpy(np.int64)
            return FeatureBatches(
                self.features.views, indices, targets, recipe.batch_size, recipe.seed, self.setting.processes
            )
        return ImageBatches(
            rows["path"].tolist(),
            targets,
            self.network.input_spec,
            _augmentation(recipe),
            recipe.batch_size,
            recipe.seed,
            self.setting.workers,
            self.setting.processes,
        )

    def _fingerprint(self, training: pd.Series, validation: pd.Series) -> str:
        images = [self.rows.loc[mask, "image_id"].tolist() for mask in (training, validation)]
        # Without cached features the files are not read before they are trained on: their table stands for them.
        contents = self.features.sha256 if self.features else ""
        return hashlib.sha256(repr((self.recipe.to_toml(), self.data.sha256, contents, images)).encode()).hexdigest()


def _augmentation(recipe: HeadRecipe) -> Augmentation:
    return Augmentation(recipe.horizontal_flip, recipe.vertical_flip, recipe.rotation)
