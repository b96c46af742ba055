"""A whole training run: read, split, train, cross-validate, calibrate, evaluate, write the model file."""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from isic_screen.artifact import ModelFacts, save_model
from isic_screen.calibration import cross_fitted, fit_platt
from isic_screen.data.images import find_unreadable
from isic_screen.data.splits import TRAIN, VALIDATION, fold_rows, leak, load_split, save_split, split_rows
from isic_screen.data.tables import DataSet, read_sources
from isic_screen.errors import TrainingError
from isic_screen.evaluation.figures import save_curves
from isic_screen.evaluation.report import write_report
from isic_screen.network import Head, ScreenNet, Weights, build_network
from isic_screen.operating_point import DEFAULT_SENSITIVITY, SENSITIVITY_TARGETS, ThresholdTable
from isic_screen.training.augmentation import Augmentation
from isic_screen.training.batches import Batches, FeatureBatches, ImageBatches
from isic_screen.training.features import FeatureExtractor, Features
from isic_screen.training.loop import Fit, fit, predict
from isic_screen.training.precision import amp_dtype
from isic_screen.training.recipe import Recipe

CALIBRATION_FOLDS = 5


@dataclass(frozen=True)
class Setting:
    """Where and how a run computes, as opposed to what (the recipe)."""

    out: Path
    cache: Path
    device: torch.device
    workers: int
    resume: bool = False
    weights: Weights = "imagenet"
    split_file: Path | None = None
    command: str = ""


def train(folders: Sequence[Path], recipe: Recipe, about: dict[str, Any], setting: Setting) -> Path:
    """Run `recipe` on the data sets in `folders`; returns the path of the model file.

    Raises a ScreenError when data, recipe or weights are not usable; everything that can be checked is checked
    before the first epoch.
    """
    out = setting.out
    _claim(out, recipe, setting.resume)
    data = read_sources(folders)
    for warning in data.warnings:
        _say(f"Warning: {warning}")
    run = _Run.prepare(data, recipe, setting)
    parts = run.split()
    validation = run.rows[parts == VALIDATION]

    # Before training, so that a validation part too small to calibrate on is told at once.
    calibration_folds = run.folds_of(validation, _calibration_folds(validation))
    _say(f"Training on {_count(run.rows[parts == TRAIN])}; validating on {_count(validation)}.")
    head, finished = run.fit_part(parts == TRAIN, parts == VALIDATION, out / "checkpoint.safetensors")
    _write_history(out, finished)

    if recipe.folds:
        held_out = run.cross_validate()
        basis = f"{recipe.folds}-fold cross-validation; no fold's training or choice of epoch saw its images"
    else:
        held_out = validation.assign(logit=run.logits(head, parts == VALIDATION), fold=calibration_folds)
        basis = "the validation part, on which the best epoch was chosen as well: slightly optimistic"
    if recipe.split == "image":
        basis += "; split by image, so that patients stand on both sides: the figures leak"

    logits, targets = held_out["logit"], held_out["target"]
    try:
        calibration = fit_platt(logits, targets, prevalence=recipe.prevalence)
        # The probabilities that are evaluated come from calibrations that did not see them.
        calibrated = cross_fitted(logits, targets, held_out["fold"], prevalence=recipe.prevalence)
    except ValueError as error:
        raise TrainingError(
            f"The scores on held-out images cannot be calibrated ({error}): the model has not learnt to tell "
            "melanomas. Train on more images, or for longer."
        ) from error
    predictions = held_out.assign(probability=calibrated)
    table = ThresholdTable.from_predictions(
        calibration.probability(held_out["logit"]), held_out["target"], recipe.prevalence
    )
    points = {f"{target:.2f}": table.threshold_for_sensitivity(target) for target in SENSITIVITY_TARGETS}
    metrics = write_report(
        out,
        predictions,
        prevalence=recipe.prevalence,
        operating_points=points,
        title=f"{about['name']}: {recipe.backbone}, evaluated by {basis}",
        notes=["The shipped thresholds were chosen on these same held-out predictions."],
    )
    run.network.head = head
    training = {
        "command": setting.command,
        "date": date.today().isoformat(),
        "recipe": asdict(recipe),
        "table_sha256": data.hashes,
        "sources": {source: counts_of(rows) for source, rows in run.rows.groupby("source")},
        "training_part": counts_of(run.rows[parts == TRAIN]),
        "validation_part": counts_of(validation),
        "unreadable": len(run.unreadable),
        "warnings": list(data.warnings),
        "best_epoch": finished.best_epoch,
        "validation_auc": finished.history[finished.best_epoch - 1]["validation_auc"],
    }
    facts = ModelFacts(
        backbone=recipe.backbone,
        hidden=recipe.hidden,
        dropout=recipe.dropout,
        input=run.network.input_spec,
        calibration=calibration,
        threshold_table=table,
        operating_points=points,
        default_threshold=points[f"{DEFAULT_SENSITIVITY:.2f}"],
        training=training,
        metrics={"basis": basis, **metrics},
        **about,
    )
    save_model(out / "model.safetensors", run.network, facts)
    _say(f"Wrote {out / 'model.safetensors'}")
    return out / "model.safetensors"


@dataclass(frozen=True)
class _Run:
    """The data a run can use, and the network it trains the head of."""

    data: DataSet
    rows: pd.DataFrame
    """Readable images; the index is the row of `features` when there are any."""
    unreadable: list[str]
    recipe: Recipe
    setting: Setting
    network: ScreenNet
    features: Features | None

    @classmethod
    def prepare(cls, data: DataSet, recipe: Recipe, setting: Setting) -> "_Run":
        """Build the network, compute its features when they are cached, and set unreadable images aside."""
        network = build_network(
            recipe.backbone,
            weights=setting.weights,
            hidden=recipe.hidden,
            dropout=recipe.dropout,
            input_size=recipe.input_size or None,
        )
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
            )
            features = extractor.cached(paths, setting.cache)
            readable, unreadable = rows.drop(index=list(features.unreadable)), list(features.unreadable.values())
        else:
            readable, failures = find_unreadable(rows, setting.workers)
            unreadable = [reason for _, reason in failures]
        if unreadable:
            _say(f"Warning: {len(unreadable)} of {len(rows)} images cannot be read and are set aside:")
            for reason in unreadable[:10]:
                _say(f"  {reason}")
        return cls(data, readable, unreadable, recipe, setting, network, features)

    def split(self) -> pd.Series:
        """TRAIN or VALIDATION for each row, saved to split.csv; says so when patients stand on both sides."""
        if self.setting.split_file is not None:
            parts = load_split(self.setting.split_file, self.rows)
        else:
            parts = split_rows(self.rows, fraction=self.recipe.validation_fraction, by=self._by, seed=self.recipe.seed)
        save_split(self.setting.out / "split.csv", self.rows, parts)
        if warning := leak(self.rows, parts):
            _say(f"Warning: {warning}")
        return parts

    def folds_of(self, rows: pd.DataFrame, folds: int) -> pd.Series:
        return fold_rows(rows, folds=folds, by=self._by, seed=self.recipe.seed)

    @property
    def _by(self) -> Any:
        return "image" if self.recipe.split == "image" else "group"

    def cross_validate(self) -> pd.DataFrame:
        """Held-out logits of every image, from models that saw neither the image nor its patient in any way.

        Each fold's model picks its best epoch on a validation part of its own, taken from the other folds.
        """
        folds = self.folds_of(self.rows, self.recipe.folds)
        logits = pd.Series(np.nan, index=self.rows.index)
        for fold in range(self.recipe.folds):
            others = self.rows[folds != fold]
            inner = split_rows(others, fraction=self.recipe.validation_fraction, by=self._by, seed=self.recipe.seed)
            inner = inner.reindex(self.rows.index, fill_value="held out")
            _say(f"Fold {fold + 1} of {self.recipe.folds}")
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
        )
        return head, finished

    def logits(self, head: Head, mask: pd.Series) -> NDArray[np.float64]:
        return predict(self._module(head), self._batches(mask), self.setting.device)

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
            return FeatureBatches(self.features.views, indices, targets, recipe.batch_size, recipe.seed)
        return ImageBatches(
            rows["path"].tolist(),
            targets,
            self.network.input_spec,
            _augmentation(recipe),
            recipe.batch_size,
            recipe.seed,
            self.setting.workers,
        )

    def _fingerprint(self, training: pd.Series, validation: pd.Series) -> str:
        images = [self.rows.loc[mask, "image_id"].tolist() for mask in (training, validation)]
        return hashlib.sha256(repr((self.recipe.to_toml(), self.data.sha256, images)).encode()).hexdigest()


def _augmentation(recipe: Recipe) -> Augmentation:
    return Augmentation(recipe.horizontal_flip, recipe.vertical_flip, recipe.rotation)


def _calibration_folds(validation: pd.DataFrame) -> int:
    """Five folds to cross-fit the calibration on, or fewer where a class has fewer patients."""
    return max(2, min(CALIBRATION_FOLDS, *(rows["group"].nunique() for _, rows in validation.groupby("target"))))


def _claim(out: Path, recipe: Recipe, resume: bool) -> None:
    """Take the output folder for this run, or refuse one that holds another."""
    file = out / "recipe.toml"
    text = recipe.to_toml()
    if file.is_file() and not resume:
        raise TrainingError(f"{out} holds a run already. Go on with it by --resume, or give another --out.")
    if file.is_file() and file.read_text(encoding="utf-8") != text:
        raise TrainingError(f"{out} holds a run with another recipe. Give the same one, or another --out.")
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _write_history(out: Path, finished: Fit) -> None:
    history = pd.DataFrame(finished.history)
    history.to_csv(out / "history.csv", index=False)
    save_curves(history, out / "curves.png")


def counts_of(rows: pd.DataFrame) -> dict[str, int]:
    """How many images, melanomas, and patients or lesions these rows are."""
    return {"images": len(rows), "melanomas": int(rows["target"].sum()), "groups": int(rows["group"].nunique())}


def _count(rows: pd.DataFrame) -> str:
    counts = counts_of(rows)
    return f"{counts['images']} images of {counts['groups']} patients or lesions ({counts['melanomas']} melanomas)"


def _say(line: str) -> None:
    print(line, file=sys.stderr)
