"""A finished model on a data set with known diagnoses: screen every image, then report."""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import torch
from tqdm import tqdm

from isic_screen.artifact import Model
from isic_screen.batch import screen_shared
from isic_screen.data.duplicates import photo_name
from isic_screen.data.groups import ARCHIVE_IDS
from isic_screen.data.tables import read_sources
from isic_screen.ensemble import Ensemble
from isic_screen.errors import DataError, PhotoError
from isic_screen.evaluation.contact_sheet import save_worst
from isic_screen.evaluation.report import write_report
from isic_screen.evaluation.sharpness import with_sharpness
from isic_screen.processes import ALONE, Processes
from isic_screen.screener import Screener


def evaluate_model(
    model: Model | Ensemble,
    folders: Sequence[Path],
    out: Path,
    *,
    device: str | torch.device = "cpu",
    workers: int = 2,
    processes: Processes = ALONE,
) -> dict[str, Any]:
    """Write the evaluation report of `model` on the data sets in `folders` to `out`; returns its metrics.

    Several `processes` share the screening; only the main one reports, and the others return nothing.
    An image that cannot be read is left out and named in the report. Raises DataError when none can be read, or the
    data cannot, and OSError, before the first is screened, where `out` cannot be written.
    """
    data = read_sources(folders)
    notes = list(data.warnings)
    if processes.main:
        out.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=out).close()
    paths = data.rows["path"].tolist()
    screener = model if isinstance(model, Ensemble) else Screener(model, device)
    found = screen_shared(screener, paths, processes, workers=workers)
    results = list(tqdm(found, total=len(paths), unit="image", disable=not processes.main))
    if not processes.main:
        return {}
    failures = [str(result) for result in results if isinstance(result, PhotoError)]
    screenings = [result for result in results if not isinstance(result, PhotoError)]
    if not screenings:
        raise DataError(f"None of the {len(paths)} images could be read. The first: {failures[0]}")
    if failures:
        notes.append(f"{len(failures)} of {len(paths)} images could not be read and are left out: {failures[:10]}")
    trained_on = set(model.facts.training.get("table_sha256", {}).values())
    if trained_on & set(data.hashes.values()):
        notes.append("The model was trained on a data set with this very label table: these figures flatter it.")
    elif (known := int(data.rows["image_id"].map(photo_name).str.fullmatch(ARCHIVE_IDS).sum())) and trained_on:
        notes.append(
            f"{known:,} of these images have ids of the ISIC archive. Where the model was trained on photos of the "
            "archive, as the bundled one was, some may be among these, and the figures then flatter it."
        )
    for note in notes:
        print(f"Warning: {note}", file=sys.stderr)
    predictions = data.rows[[not isinstance(result, PhotoError) for result in results]].assign(
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
