"""Training the paper recipe on cached features against running the backbone for every batch: time and AUC.

    python -m benchmarks.feature_cache [--data DIR] [--backbone NAME] [--seeds N]

Both train on the same split with the same recipe in one run: without a cache, with an empty cache, and with a full one;
and so for each of the seeds, every one of which splits the patients otherwise. The AUC is that of the validation part,
and the difference the mean over the seeds, with its 95 % interval by a paired bootstrap over patients. Writes
benchmarks/results/feature_cache.json.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from benchmarks.measure import ROOT, run, write_result
from isic_screen.evaluation.counts import Floats, Ranking
from isic_screen.evaluation.intervals import Estimate, bootstrap
from isic_screen.training.about import load_about
from isic_screen.training.recipe import HeadRecipe, load_recipe
from isic_screen.training.run import train
from isic_screen.training.setting import Setting

WAYS = ("uncached", "empty_cache", "full_cache")
"""In the order in which they run: the second leaves the cache that the third finds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "isic2020")
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="default: %(default)s")
    given = parser.parse_args()
    # No early stopping: both ways run the paper's ten epochs, so that their times compare.
    paper = load_recipe("paper", [f'backbone="{given.backbone}"', "folds=0", "stopping_patience=100"])
    if not isinstance(paper, HeadRecipe):
        raise TypeError("the paper recipe does not train a head on a frozen backbone")
    seconds = dict.fromkeys(WAYS, 0.0)
    epoch_seconds = dict.fromkeys(WAYS, 0.0)
    parts = []
    for seed in range(given.seeds):
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            for name in WAYS:
                views = 0 if name == "uncached" else paper.feature_views
                recipe = replace(paper, seed=seed, feature_views=views)
                setting = Setting(scratch / name, scratch / "cache", torch.device("cpu"), workers=2)
                started = time.perf_counter()
                train([given.data], recipe, load_about(ROOT / "train" / "about.toml"), setting)
                seconds[name] += time.perf_counter() - started
                epoch_seconds[name] += float(pd.read_csv(scratch / name / "history.csv")["seconds"].sum())
            parts.append(both_ways(scratch / "uncached", scratch / "full_cache").assign(seed=seed))
    pooled = pd.concat(parts, ignore_index=True)
    write_result(
        "feature_cache",
        {
            "recipe": f"paper on {given.backbone}, {paper.epochs} epochs, feature_views = {paper.feature_views}",
            "seeds": given.seeds,
            "validation_images": len(pooled),
            "seconds": {name: round(value, 1) for name, value in seconds.items()},
            "seconds_in_epochs": {name: round(value, 1) for name, value in epoch_seconds.items()},
            "whole_run_uncached_over_empty_cache": round(seconds["uncached"] / seconds["empty_cache"], 1),
            "whole_run_uncached_over_full_cache": round(seconds["uncached"] / seconds["full_cache"], 1),
            "epochs_uncached_over_full_cache": round(epoch_seconds["uncached"] / epoch_seconds["full_cache"], 1),
            "auc_by_seed": [
                {way: roc_auc_score(part["target"], part[way]) for way in ("uncached", "cached")} for part in parts
            ],
            "auc_cached_minus_uncached": mean_difference(pooled).to_dict(),
        },
    )


def both_ways(uncached: Path, cached: Path) -> pd.DataFrame:
    """The validation images of two runs on the same split: target, group, and the logits of both."""
    first, second = (pd.read_csv(folder / "predictions.csv") for folder in (uncached, cached))
    if first["image_id"].tolist() != second["image_id"].tolist():
        raise SystemExit("The two ways validated on different images: they cannot be compared.")
    return first[["target", "group"]].assign(uncached=first["logit"], cached=second["logit"])


def mean_difference(pooled: pd.DataFrame) -> Estimate:
    """AUC of `cached` less that of `uncached` within each seed, whose networks have a scale of their own; their mean.

    `pooled` has a row for each image and seed. The bootstrap draws a patient with all images of all seeds.
    """

    def ranking(part: pd.DataFrame, way: str) -> Ranking:
        return Ranking.of(part[way], part["target"])

    parts = [
        (np.flatnonzero(pooled["seed"] == seed), ranking(part, "cached"), ranking(part, "uncached"))
        for seed, part in pooled.groupby("seed")
    ]

    def measure(weights: Floats) -> dict[str, Floats]:
        differences = [
            cached.counts(weights[:, rows]).roc_auc() - uncached.counts(weights[:, rows]).roc_auc()
            for rows, cached, uncached in parts
        ]
        return {"difference": np.mean(differences, axis=0)}

    return bootstrap(measure, pooled["target"], pooled["group"])["difference"]


if __name__ == "__main__":
    run(main)
