"""A finished model on a data set with known diagnoses: screen every image, then report."""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from isic_screen.archive_ids import ARCHIVE_IDS, photo_name
from isic_screen.artifact import Model
from isic_screen.batch import screen_shared
from isic_screen.data.tables import DataSet, read_sources
from isic_screen.ensemble import Ensemble
from isic_screen.errors import DataError, ModelFileError, PhotoError
from isic_screen.evaluation.contact_sheet import save_worst
from isic_screen.evaluation.report import write_report
from isic_screen.evaluation.sharpness import with_sharpness
from isic_screen.processes import ALONE, Processes
from isic_screen.progress import Bar
from isic_screen.screener import Screener
from isic_screen.wording import counted, listed


def evaluate_model(
    model: Model | Ensemble,
    folders: Sequence[Path],
    out: Path,
    *,
    device: str | torch.device = "cpu",
    workers: int = 2,
    processes: Processes = ALONE,
    unseen: bool = False,
) -> dict[str, Any]:
    """Write the evaluation report of `model` on the data sets in `folders` to `out`; returns its metrics.

    Several `processes` share the screening; only the main one reports, and the others return nothing.
    With `unseen` the photos that the model was trained on are left out, and with them all others of their patients and
    lesions, which would flatter it as well; otherwise the report counts both. A model file does not name its patients
    and lesions: they are known by those of its photos that the data holds. An image that cannot be read is left out and
    named in the report. Raises DataError when none can be read, or the data cannot, ModelFileError when the file does
    not say which photos are `unseen`, and OSError, before the first is screened, where `out` cannot be written.
    """
    data = read_sources(folders)
    notes = list(data.warnings)
    rows = data.rows
    seen = _seen(model, data)
    if unseen:
        if seen is None:
            raise ModelFileError(
                f"The file of {model.facts.name} {model.facts.version} does not say which photos it was trained on: "
                "leave --unseen out, or train it again."
            )
        related = _related(data, seen)
        rows = rows[~(seen | related)]
        if rows.empty:
            others = ", or on others of their patients or lesions" if related.any() else ""
            raise DataError(
                f"The model was trained on all of these {len(seen):,} images{others}: none is left to evaluate it."
            )
        notes.append(f"Left out, as the model was trained on them: {seen.sum():,} of {counted(len(seen), 'image')}.")
        if related.any():
            notes.append(
                f"Left out as well, as it was trained on others of the same patients or lesions: {related.sum():,}."
            )
    elif said := _flattery(model, data, seen):
        notes.append(said)
    if processes.main:
        out.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=out).close()
    paths = rows["path"].tolist()
    screener = model if isinstance(model, Ensemble) else Screener(model, device)
    found = screen_shared(screener, paths, processes, workers=workers)
    results = list(Bar(found, total=len(paths), unit="image", disable=not processes.main))
    if not processes.main:
        return {}
    failures = [str(result) for result in results if isinstance(result, PhotoError)]
    screenings = [result for result in results if not isinstance(result, PhotoError)]
    if not screenings:
        raise DataError(f"None of the {len(paths):,} images could be read. The first: {failures[0]}")
    if failures:
        notes.append(
            f"Left out, as they could not be read: {len(failures):,} of {counted(len(paths), 'image')}. "
            f"{listed(failures, shown=10)}"
        )
    for note in notes:
        print(f"Warning: {note}", file=sys.stderr)
    predictions = rows[[not isinstance(result, PhotoError) for result in results]].assign(
        logit=[screening.logit for screening in screenings],
        probability=[screening.probability for screening in screenings],
    )
    model_line = f"{model.facts.backbone}, SHA-256 {model.sha256}"
    if isinstance(model, Ensemble):
        # The report's rule on the sigmoid of `logit` means a network's own logit, which an ensemble does not have.
        model_line += (
            f"\n\n{model.description} `logit` in predictions.csv is that mean, so that the uncalibrated score is the "
            "probability here."
        )
    predictions = with_sharpness(predictions, workers)
    threshold = model.facts.default_threshold
    save_worst(predictions, out / "worst_misses.png", threshold=threshold, kind="misses")
    save_worst(predictions, out / "worst_false_alarms.png", threshold=threshold, kind="false alarms")
    return write_report(
        out,
        predictions,
        prevalence=model.facts.prevalence,
        operating_points=model.facts.operating_points,
        title=f"{model.facts.name} {model.facts.version} on {data.name}",
        notes=notes,
        model_line=model_line,
    )


def _seen(model: Model | Ensemble, data: DataSet) -> npt.NDArray[np.bool_] | None:
    """(N,): which images the model was trained on; None when its file does not say."""
    return None if model.seen is None else model.seen.among(data.rows["image_id"].tolist(), data.rows["path"].tolist())


def _related(data: DataSet, seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(N,): which images that were not `seen` are of a patient or lesion of one that was."""
    groups = data.rows["group"]
    return groups.isin(groups[seen]).to_numpy() & ~seen


def _flattery(model: Model | Ensemble, data: DataSet, seen: npt.NDArray[np.bool_] | None) -> str | None:
    """What to say where the model was, or may have been, trained on images that it is evaluated on."""
    if seen is not None:
        if not seen.any():
            return None
        related = _related(data, seen).sum()
        others = f", and on others of the patients or lesions of {related:,} more" if related else ""
        return (
            f"The model was trained on {seen.sum():,} of these {len(seen):,} images{others}: the figures flatter it. "
            "--unseen leaves them out."
        )
    trained_on = set(model.facts.training.get("table_sha256", {}).values())
    if trained_on & set(data.hashes.values()):
        return "The model was trained on a data set with this very label table: these figures flatter it."
    if trained_on and (known := int(data.rows["image_id"].map(photo_name).str.fullmatch(ARCHIVE_IDS).sum())):
        return (
            f"{known:,} of these images have ids of the ISIC archive. Where the model was trained on photos of the "
            "archive, some may be among these, and the figures then flatter it."
        )
    return None
