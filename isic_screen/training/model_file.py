"""The end of a run: calibrate on the held-out predictions, report, and write the model file."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import pandas as pd

from isic_screen.artifact import ModelFacts, save_model
from isic_screen.calibration import cross_fitted, fit_platt
from isic_screen.data.tables import DataSet
from isic_screen.errors import TrainingError
from isic_screen.evaluation.camera_probe import of_camera
from isic_screen.evaluation.contact_sheet import save_worst
from isic_screen.evaluation.report import write_report
from isic_screen.evaluation.sharpness import with_sharpness
from isic_screen.evaluation.subgroups import MIN_OF_CLASS
from isic_screen.network import ScreenNet
from isic_screen.novelty import Novelty
from isic_screen.operating_point import DEFAULT_SENSITIVITY, SENSITIVITY_TARGETS, ThresholdTable
from isic_screen.progress import say
from isic_screen.seen_photos import SeenPhotos
from isic_screen.training.recipe import Recipe
from isic_screen.training.setting import Setting

MODEL_FILE = "model.safetensors"


@dataclass(frozen=True)
class Trained:
    """What a training leaves: the network, its held-out predictions (`logit`, `fold` beside the rows), and facts."""

    network: ScreenNet
    held_out: pd.DataFrame
    basis: str
    """How they came to be held out."""
    leak: str | None
    """What to say of it where patients or lesions stand on both sides."""
    facts: dict[str, Any]
    novelty: Novelty | None = None


def finish(trained: Trained, data: DataSet, recipe: Recipe, about: dict[str, Any], setting: Setting) -> None:
    """Calibrate on the held-out predictions, report, and write the model file."""
    out, held_out, basis = setting.out, trained.held_out, trained.basis
    reference = _reference(held_out, recipe)
    logits, targets = reference["logit"], reference["target"]
    try:
        calibration = fit_platt(logits, targets, prevalence=recipe.prevalence)
        # What is evaluated, and counted at each threshold, are probabilities from calibrations that did not see them.
        calibrated = pd.Series(calibration.probability(held_out["logit"]), index=held_out.index)
        calibrated[reference.index] = cross_fitted(logits, targets, reference["fold"], prevalence=recipe.prevalence)
    except ValueError as error:
        raise TrainingError(
            f"The scores on held-out images cannot be calibrated ({error}): the model has not learnt to tell "
            "melanomas. Train on more images, or for longer."
        ) from error
    shipped = ThresholdTable.from_predictions(calibration.probability(logits), targets, calibration.prevalence)
    points = {f"{target:.2f}": shipped.threshold_for_sensitivity(target) for target in SENSITIVITY_TARGETS}
    notes = ["The shipped thresholds were chosen on these same held-out predictions."]
    if trained.leak:
        notes.append(trained.leak)
    if len(reference) < len(held_out):
        notes.append(f"Calibration and thresholds come from {recipe.reference_source} alone.")
    predictions = with_sharpness(held_out.assign(probability=calibrated), setting.workers)
    default_threshold = points[f"{DEFAULT_SENSITIVITY:.2f}"]
    save_worst(predictions, out / "worst_misses.png", threshold=default_threshold, kind="misses")
    save_worst(predictions, out / "worst_false_alarms.png", threshold=default_threshold, kind="false alarms")
    metrics = write_report(
        out,
        predictions,
        prevalence=recipe.prevalence,
        operating_points=points,
        title=f"{about['name']}: {trained.network.backbone_name}, evaluated by {basis}",
        notes=notes,
    )
    training = {
        "command": setting.command,
        "date": date.today().isoformat(),
        "recipe": {"method": recipe.method, **asdict(recipe)},
        "table_sha256": data.hashes,
        "warnings": list(data.warnings),
        "calibrated_on": sorted(reference["source"].unique()),
        **trained.facts,
    }
    facts = ModelFacts(
        backbone=trained.network.backbone_name,
        hidden=trained.network.head.hidden.out_features,
        dropout=recipe.dropout,
        input=trained.network.input_spec,
        calibration=calibration,
        threshold_table=ThresholdTable.from_predictions(calibrated[reference.index], targets, calibration.prevalence),
        operating_points=points,
        default_threshold=default_threshold,
        training=training,
        metrics={"basis": basis, **metrics},
        other_cameras=_other_cameras(reference, calibrated, calibration.prevalence),
        **about,
    )
    # Those as well that only chose an epoch or were calibrated on.
    seen = SeenPhotos.of(data.rows["image_id"].tolist(), data.rows["path"].tolist())
    save_model(out / MODEL_FILE, trained.network, facts, trained.novelty, seen, bits=setting.bits)
    say(f"Wrote {out / MODEL_FILE}")


def _other_cameras(reference: pd.DataFrame, probabilities: pd.Series, prevalence: float) -> ThresholdTable | None:
    """The counts without the originals of CAMERA_SIZE; None where there are none, or too few others of a class."""
    of_size = of_camera(reference)
    others = reference[~of_size]
    if not of_size.any() or min((others["target"] == kind).sum() for kind in (0, 1)) < MIN_OF_CLASS:
        return None
    return ThresholdTable.from_predictions(probabilities[others.index], others["target"], prevalence)


def _reference(held_out: pd.DataFrame, recipe: Recipe) -> pd.DataFrame:
    """The held-out rows that calibration and thresholds are taken from: of the recipe's source where it is there."""
    rows = held_out[held_out["source"] == recipe.reference_source] if recipe.reference_source else held_out
    if rows["target"].nunique() < 2:
        say(f"Warning: no {recipe.reference_source} with both classes among the data: calibrating on all sources.")
        return held_out
    return rows
