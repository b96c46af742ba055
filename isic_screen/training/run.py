"""A whole training run: read, split, train, cross-validate, calibrate, evaluate, write the model file."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from isic_screen.artifact import ModelFacts, save_model
from isic_screen.calibration import cross_fitted, fit_platt
from isic_screen.data.splits import TRAIN, VALIDATION, fold_rows, split_rows
from isic_screen.data.tables import read_sources
from isic_screen.errors import TrainingError
from isic_screen.evaluation.figures import save_curves
from isic_screen.evaluation.report import write_report
from isic_screen.operating_point import DEFAULT_SENSITIVITY, SENSITIVITY_TARGETS, ThresholdTable
from isic_screen.training.experiment import Experiment, Setting, say, unit_of
from isic_screen.training.loop import Fit
from isic_screen.training.recipe import Recipe

CALIBRATION_FOLDS = 5
RECIPE_FILE = "recipe.toml"


def train(folders: Sequence[Path], recipe: Recipe, about: dict[str, Any], setting: Setting) -> Path:
    """Run `recipe` on the data sets in `folders`; returns the path of the model file.

    Raises a ScreenError when data, recipe or weights are not usable; everything that can be checked is checked
    before the first epoch.
    """
    out = setting.out
    _refuse_another_run(out, recipe, setting.resume)
    data = read_sources(folders)
    for warning in data.warnings:
        say(f"Warning: {warning}")
    _check_splits(data.rows, recipe)
    run = Experiment.prepare(data, recipe, setting)
    # Only now is the folder taken: a mistake found above can be mended and the same command given again.
    out.mkdir(parents=True, exist_ok=True)
    (out / RECIPE_FILE).write_text(recipe.to_toml(), encoding="utf-8")
    parts = run.split()
    validation = run.rows[parts == VALIDATION]

    # Before training, so that a validation part too small to calibrate on is told at once.
    calibration_folds = run.folds_of(validation, _calibration_folds(validation))
    say(f"Training on {_count(run.rows[parts == TRAIN])}; validating on {_count(validation)}.")
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
    say(f"Wrote {out / 'model.safetensors'}")
    return out / "model.safetensors"


def _check_splits(rows: pd.DataFrame, recipe: Recipe) -> None:
    """Raise DataError for data that cannot be split, before the backbone has seen hours of images."""
    by = unit_of(recipe)
    split_rows(rows, fraction=recipe.validation_fraction, by=by, seed=recipe.seed)
    if recipe.folds:
        fold_rows(rows, folds=recipe.folds, by=by, seed=recipe.seed)


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
