"""Training the paper recipe on cached features against running the backbone for every batch: time and AUC.

    python -m benchmarks.feature_cache [--data DIR] [--backbone NAME]

Both train on the same split with the same recipe in one run: without a cache, with an empty cache, and with a full one.
The AUC is that of the validation part, with the 95 % interval of the difference by a paired bootstrap over patients.
Writes benchmarks/results/feature_cache.json.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from benchmarks.measure import ROOT, write_result
from isic_screen.evaluation.counts import Counts
from isic_screen.evaluation.intervals import paired_difference
from isic_screen.evaluation.metrics import roc_auc
from isic_screen.training.about import load_about
from isic_screen.training.recipe import HeadRecipe, Recipe, load_recipe
from isic_screen.training.run import Setting, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "isic2020")
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    given = parser.parse_args()
    # No early stopping: both ways run the paper's ten epochs, so that their times compare.
    paper = load_recipe("paper", [f'backbone="{given.backbone}"', "folds=0", "stopping_patience=100"])
    if not isinstance(paper, HeadRecipe):
        raise TypeError("the paper recipe does not train a head on a frozen backbone")
    recipe: HeadRecipe = paper

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)

        def timed(name: str, chosen: Recipe) -> float:
            setting = Setting(scratch / name, scratch / "cache", torch.device("cpu"), workers=2)
            started = time.perf_counter()
            train([given.data], chosen, load_about(ROOT / "train" / "about.toml"), setting)
            return time.perf_counter() - started

        seconds = {
            "uncached": timed("uncached", replace(recipe, feature_views=0)),
            "empty_cache": timed("cold", recipe),
            "full_cache": timed("warm", recipe),
        }
        epochs = {name: pd.read_csv(scratch / name / "history.csv") for name in ("uncached", "cold", "warm")}
        predictions = {name: pd.read_csv(scratch / name / "predictions.csv") for name in ("uncached", "warm")}
    uncached, cached = predictions["uncached"], predictions["warm"]
    if uncached["image_id"].tolist() != cached["image_id"].tolist():
        raise SystemExit("The two ways validated on different images: they cannot be compared.")
    difference = paired_difference(
        Counts.roc_auc, cached["logit"], uncached["logit"], cached["target"], cached["group"]
    )
    epoch_seconds = {name: float(history["seconds"].sum()) for name, history in epochs.items()}
    write_result(
        "feature_cache",
        {
            "recipe": f"paper on {given.backbone}, {recipe.epochs} epochs, feature_views = {recipe.feature_views}",
            "validation_images": len(cached),
            "seconds": {name: round(value, 1) for name, value in seconds.items()},
            "seconds_in_epochs": {name: round(value, 1) for name, value in epoch_seconds.items()},
            "whole_run_uncached_over_empty_cache": round(seconds["uncached"] / seconds["empty_cache"], 1),
            "whole_run_uncached_over_full_cache": round(seconds["uncached"] / seconds["full_cache"], 1),
            "epochs_uncached_over_full_cache": round(epoch_seconds["uncached"] / epoch_seconds["warm"], 1),
            "auc_uncached": roc_auc(uncached["logit"], uncached["target"]).value,
            "auc_cached": roc_auc(cached["logit"], cached["target"]).value,
            "auc_cached_minus_uncached": difference.to_dict(),
        },
    )


if __name__ == "__main__":
    main()
