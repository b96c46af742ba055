"""A whole training run: read, split, train, cross-validate, calibrate, evaluate, write the model file."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from isic_screen.artifact import ModelFacts, save_model
from isic_screen.calibration import cross_fitted, fit_platt
from isic_screen.data.splits import TRAIN, VALIDATION, fold_rows, split_rows
from isic_screen.data.tables import DataSet, read_sources
from isic_screen.errors import RecipeError, TrainingError
from isic_screen.evaluation.contact_sheet import save_worst
from isic_screen.evaluation.figures import save_curves
from isic_screen.evaluation.fine_tuning_curves import save_fine_tuning_curves
from isic_screen.evaluation.report import write_report
from isic_screen.evaluation.sharpness import with_sharpness
from isic_screen.network import ScreenNet
from isic_screen.novelty import KNOWN_SHARE, Novelty, cut_off_of
from isic_screen.operating_point import DEFAULT_SENSITIVITY, SENSITIVITY_TARGETS, ThresholdTable
from isic_screen.training.earlier_runs import FINAL, EarlierRun
from isic_screen.training.experiment import Experiment, Setting, unit_of
from isic_screen.training.filled_table import locked
from isic_screen.training.progress import say
from isic_screen.training.recipe import FineTuneRecipe, HeadRecipe, Recipe
from isic_screen.training.whole_network import WholeNetwork
from isic_screen.whole_file import whole_file

CALIBRATION_FOLDS = 5
RECIPE_FILE = "recipe.toml"
MODEL_FILE = "model.safetensors"
START = "start"
"""In the folder of a run: that of the run that it started from, where it trained one."""


@dataclass(frozen=True)
class _Trained:
    """What a training leaves: the network, its held-out predictions (`logit`, `fold` beside the rows), and facts."""

    network: ScreenNet
    held_out: pd.DataFrame
    basis: str
    history: list[dict[str, float]]
    facts: dict[str, Any]
    novelty: Novelty | None = None


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
    _refuse_another_run(setting.out, recipe, setting.resume)
    setting.processes.wait()  # until none looks any more, as the main one will write there
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
        _finish(trained, data, recipe, about, setting)
    return setting.out / MODEL_FILE


def _train_head(data: DataSet, recipe: HeadRecipe, setting: Setting) -> _Trained:
    """A head on a frozen backbone, its best epoch chosen on a validation part."""
    out = setting.out
    _check_splits(data.rows, recipe)
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
        basis = f"{recipe.folds}-fold cross-validation; no fold's training or choice of epoch saw its images"
    else:
        held_out = validation.assign(logit=run.logits(head, parts == VALIDATION), fold=calibration_folds)
        basis = "the validation part, on which the best epoch was chosen as well: slightly optimistic"
    run.network.head = head
    facts = {
        "sources": _sources(run.rows),
        "training_part": counts_of(run.rows[parts == TRAIN]),
        "validation_part": counts_of(validation),
        "unreadable": len(run.unreadable),
        "best_epoch": finished.best_epoch,
        "validation_auc": finished.history[finished.best_epoch - 1]["validation_auc"],
    }
    return _Trained(run.network, held_out, basis, finished.history, facts)


def _train_whole(data: DataSet, recipe: FineTuneRecipe, setting: Setting) -> _Trained:
    """A whole network on all images; what it can do is judged by its twins in cross-validation."""
    _check_splits(data.rows, recipe)
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
    basis = f"{recipe.folds}-fold cross-validation; no fold's training saw its images or their patients and lesions"
    facts = {
        "sources": _sources(run.rows),
        "training_part": counts_of(run.rows),
        "unreadable": len(run.unreadable),
        "teachers": [teacher.facts() for teacher in run.teachers],
        "members": [member.facts() for member in run.members],
        "novelty": {"cut_off": cut_off, "share_known": KNOWN_SHARE},
    }
    return _Trained(network, held_out, basis, history, facts, novelty)


def _train_parts(data: DataSet, recipe: FineTuneRecipe, setting: Setting) -> None:
    """Some networks of a run and nothing else, for a whole run to go on from."""
    if strange := [part for part in setting.only if not 0 <= part <= recipe.folds]:
        raise RecipeError(
            f"--only {strange[0]}: the folds are 1 to {recipe.folds}, and 0 is the network on all images."
        )
    _check_splits(data.rows, recipe)
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
    for part in setting.only or (*range(1, recipe.folds + 1), 0):
        place = f"fold {part} of {recipe.folds}" if part else f"all images, {_count(first.rows)}"
        say(f"{recipe.start_recipe}: {place}.")
        file = f"folds/fold-{part}.safetensors" if part else FINAL
        # Not judged: its networks are only started from.
        first.fit(first.rows[folds != part - 1], first.setting.out / file)
    say(f"Now what starts from {first.setting.out}.")
    return replace(run, teachers=(EarlierRun.of(first.setting.out),))


def _finish(trained: _Trained, data: DataSet, recipe: Recipe, about: dict[str, Any], setting: Setting) -> None:
    """Calibrate on the held-out predictions, report, and write the model file."""
    out, held_out, basis = setting.out, trained.held_out, trained.basis
    if recipe.split == "image":
        basis += "; split by image, so that patients stand on both sides: the figures leak"
    reference = _reference(held_out, recipe)
    logits, targets = reference["logit"], reference["target"]
    try:
        calibration = fit_platt(logits, targets, prevalence=recipe.prevalence)
        # The probabilities that are evaluated come from calibrations that did not see them.
        calibrated = pd.Series(calibration.probability(held_out["logit"]), index=held_out.index)
        calibrated[reference.index] = cross_fitted(logits, targets, reference["fold"], prevalence=recipe.prevalence)
    except ValueError as error:
        raise TrainingError(
            f"The scores on held-out images cannot be calibrated ({error}): the model has not learnt to tell "
            "melanomas. Train on more images, or for longer."
        ) from error
    table = ThresholdTable.from_predictions(calibration.probability(logits), targets, recipe.prevalence)
    points = {f"{target:.2f}": table.threshold_for_sensitivity(target) for target in SENSITIVITY_TARGETS}
    notes = ["The shipped thresholds were chosen on these same held-out predictions."]
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
        threshold_table=table,
        operating_points=points,
        default_threshold=default_threshold,
        training=training,
        metrics={"basis": basis, **metrics},
        **about,
    )
    save_model(out / MODEL_FILE, trained.network, facts, trained.novelty, bits=setting.bits)
    say(f"Wrote {out / MODEL_FILE}")


def _reference(held_out: pd.DataFrame, recipe: Recipe) -> pd.DataFrame:
    """The held-out rows that calibration and thresholds are taken from: of the recipe's source where it is there."""
    rows = held_out[held_out["source"] == recipe.reference_source] if recipe.reference_source else held_out
    if rows["target"].nunique() < 2:
        say(f"Warning: no {recipe.reference_source} with both classes among the data: calibrating on all sources.")
        return held_out
    return rows


def _sources(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    return {str(source): counts_of(part) for source, part in rows.groupby("source")}


def _take_folder(setting: Setting, recipe: Recipe) -> None:
    """Only when data and recipe were found usable: after a mistake the same command can be given again."""
    if setting.processes.main:
        setting.out.mkdir(parents=True, exist_ok=True)
        with locked(setting.out), whole_file(setting.out / RECIPE_FILE) as unfinished:
            unfinished.write_text(recipe.to_toml(), encoding="utf-8")
    setting.processes.wait()


def _check_splits(rows: pd.DataFrame, recipe: Recipe) -> None:
    """Raise DataError for data that cannot be split, before the backbone has seen hours of images."""
    by = unit_of(recipe)
    if isinstance(recipe, HeadRecipe):
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
    return f"{counts['images']} images of {counts['groups']} patients or lesions ({counts['melanomas']} melanomas)"
