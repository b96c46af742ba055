"""How well the distance to the training photos tells what is not dermoscopy, and how many real photos it refuses.

    python -m benchmarks.novelty --predictions RUN/predictions.csv [--ordinary DIR …]

The dermoscopy photos are those of the run that made the model, each with its distance to the network of
cross-validation that did not see it (column `novelty`). The share refused is measured with cut-offs that come from the
other folds. Everything else is screened by the model itself: generated pictures (blank, noise, text, charts),
scikit-learn's two sample photos and every picture under `--ordinary`. Writes benchmarks/results/novelty.json. The
committed result used the sample pictures of scikit-image, gradio and matplotlib as ordinary ones. Skin without a
dermatoscope is measured by `python -m benchmarks.skin_photos`.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.metrics import roc_auc_score

from benchmarks.measure import run, write_result
from benchmarks.quality_rates import generated, ordinary
from isic_screen.artifact import BUNDLED_MODEL, load_model
from isic_screen.novelty import KNOWN_SHARE, REFUSED_FROM, cut_off_of
from isic_screen.screener import Screener, Screening


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=Path, required=True, help="predictions.csv of the run")
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="default: the bundled one")
    parser.add_argument("--ordinary", type=Path, action="append", default=[], help="a folder of ordinary pictures")
    given = parser.parse_args()
    if not given.predictions.is_file():
        parser.error(f"there is no file {given.predictions}: name the predictions.csv that train/run.py left")
    screener = Screener(load_model(given.model))
    known = screener.model.novelty
    if known is None:
        parser.error(f"{given.model} has no novelty tensors: train it with a fine-tuning recipe")
    rows = pd.read_csv(given.predictions, dtype={"image_id": str})
    held_out = rows["novelty"].to_numpy() / float(known.cut_off)
    result: dict[str, Any] = {
        "cut_off": round(float(known.cut_off), 4),
        "share_of_dermoscopy_aimed_at": KNOWN_SHARE,
        "refused_from_times_the_cut_off": REFUSED_FROM,
        "dermoscopy": _refused(rows),
        "not dermoscopy": {
            "generated": tally(screener, generated(), held_out),
            "ordinary": tally(screener, ordinary(given.ordinary), held_out),
        },
    }
    write_result("novelty", result)


def _refused(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Photos doubted or refused at a cut-off taken from the other folds, by source."""
    share = pd.Series(0.0, index=rows.index)
    for fold, members in rows.groupby("fold"):
        others = rows[rows["fold"] != fold]
        cut_off = cut_off_of(others["novelty"].to_numpy(float), others["source"].to_numpy(str))
        share[members.index] = members["novelty"] / cut_off
    parts = {"all": rows, **{str(source): part for source, part in rows.groupby("source")}}
    parts["melanomas"] = rows[rows["target"] == 1]
    return {
        name: {
            "photos": len(part),
            "refused": int((share[part.index] >= REFUSED_FROM).sum()),
            "doubtful": int(share[part.index].between(1, REFUSED_FROM, inclusive="left").sum()),
            "share_refused": round(float((share[part.index] >= REFUSED_FROM).mean()), 4),
            "share_doubtful_or_refused": round(float((share[part.index] >= 1).mean()), 4),
        }
        for name, part in parts.items()
        if len(part)
    }


def tally(screener: Screener, pictures: Iterable[Image.Image], dermoscopy: np.ndarray) -> dict[str, Any]:
    """How many `pictures` that are not dermoscopy are stopped; `dermoscopy` (N,): the distances of photos that are."""
    found = [screener.screen(picture) for picture in pictures]
    distances = distances_of(found)
    targets = np.r_[np.zeros(len(dermoscopy)), np.ones(len(found))]
    return {
        "pictures": len(found),
        "auroc": round(float(roc_auc_score(targets, np.r_[dermoscopy, distances])), 4),
        "refused_by_distance": int((distances >= REFUSED_FROM).sum()),
        "doubtful_or_refused_by_distance": int((distances >= 1).sum()),
        "refused_by_distance_or_quality": sum(screening.quality.verdict == "unfit" for screening in found),
        "not_called_fit": sum(screening.quality.verdict != "fit" for screening in found),
    }


def distances_of(screenings: Iterable[Screening]) -> np.ndarray:
    """Distances (N,) to the training photos, as shares of the cut-off."""
    return np.array([screening.novelty for screening in screenings], float)


if __name__ == "__main__":
    run(main)
