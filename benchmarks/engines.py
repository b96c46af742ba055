"""Probability and evidence map of the bundled network by several engines: speed, and how far the answers move.

    python -m benchmarks.engines [--data DIR] [--member RUN …] [--threads N] [--repeats N] [--quick]

Every engine takes its turn in the same run, with one photo and with 16; a ratio is the time of the network as trained
over the engine's. Differences are the largest among real photos and the drawn examples. For engines with fewer bits,
networks of cross-validation (--member, as train/run.py leaves them) score photos that they never saw: the difference of
the AUC to fp32's is paired. Needs onnx, onnxscript and onnxruntime for the rows of ONNX Runtime, and a C++ compiler for
torch.compile; rows that cannot be had say so. Writes benchmarks/results/engines.json.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks.engine_kinds import BEFORE, KEPT, KINDS, Engine, made
from benchmarks.measure import ROOT, in_turns, run, write_result
from isic_screen.artifact import Model, load_model
from isic_screen.committee import committee_of
from isic_screen.data.images import read_photos
from isic_screen.data.tables import read_sources
from isic_screen.errors import PhotoError
from isic_screen.evaluation.counts import Counts
from isic_screen.evaluation.intervals import paired_difference
from isic_screen.explain import heat_map_of
from isic_screen.training.earlier_runs import EarlierRun

SOURCES = ("isic2020", "ham10000", "isic2017")
PROBABILITY_TOLERANCE, MAP_TOLERANCE = 1e-3, 1e-2
BATCH = 16
CHECKED, RANGES, HELD_OUT = 50, 64, 400  # photos
FOLD = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="the folder of the sources")
    parser.add_argument(
        "--member",
        type=Path,
        action="append",
        help="the run of the bundled model, or those of its members; default: runs/even and runs/open",
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="of every engine; default: 1, steadiest on a busy machine"
    )
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--quick", action="store_true", help="few repeats, no AUC")
    given = parser.parse_args()
    members = given.member or [ROOT / "runs" / name for name in ("even", "open")]
    torch.set_num_threads(given.threads)
    model = load_model()
    rows = read_sources([given.data / source for source in SOURCES]).rows if given.data.is_dir() else None
    images, ranges = _images(model, rows)
    engines: dict[str, Engine] = {}
    absent: dict[str, str] = {}
    for name, kind in KINDS.items():
        engine, why = made(kind, model.network, ranges)
        if engine is None:
            absent[name] = why
        else:
            engines[name] = engine
    repeats = 5 if given.quick else given.repeats
    one = in_turns({name: partial(engine, images[:1]) for name, engine in engines.items()}, repeats)
    many = in_turns(
        {name: partial(engine, _repeated(images, BATCH)) for name, engine in engines.items()}, max(5, repeats // 3)
    )
    expected = engines[BEFORE](images)
    costs = {} if given.quick else auc_costs(model, rows, members, [n for n in engines if KINDS[n].lossy])
    found: list[dict[str, Any]] = []
    for name in KINDS:
        if name in absent:
            found.append({"engine": name, "absent": absent[name]})
            continue
        probability, heat = differences(model, engines[name](images), expected)
        found.append(
            {
                "engine": name,
                "kept": name == KEPT,
                "one_photo": round(one[BEFORE] / one[name], 2),
                f"batch_of_{BATCH}": round(many[BEFORE] / many[name], 2),
                "largest_probability_difference": float(f"{probability:.2g}"),
                "largest_map_difference": float(f"{heat:.2g}"),
                "within_tolerance": probability <= PROBABILITY_TOLERANCE and heat <= MAP_TOLERANCE,
                "auc_less_fp32": costs.get(name),
            }
        )
    write_result(
        "engines",
        {
            "threads": given.threads,
            "repeats": repeats,
            "photos_compared": len(images),
            "tolerance": {"probability": PROBABILITY_TOLERANCE, "map": MAP_TOLERANCE},
            "as_trained_one_photo_ms": round(1000 * one[BEFORE], 1),
            "engines": found,
        },
    )


def differences(model: Model, found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """The largest difference of any probability, and of any value of any heat map (both 0 to 1)."""
    probabilities = [model.facts.calibration.probability(logits.double().numpy()) for logits, _ in (found, expected)]
    maps = [np.stack([heat_map_of(each.numpy()) for each in evidence]) for _, evidence in (found, expected)]
    return float(np.abs(probabilities[0] - probabilities[1]).max()), float(np.abs(maps[0] - maps[1]).max())


def auc_costs(model: Model, rows: pd.DataFrame | None, members: list[Path], engines: list[str]) -> dict[str, Any]:
    """AUC of each engine less that of fp32, on photos that a network of cross-validation never saw."""
    table, weights = (f"folds/fold-{FOLD}.{suffix}" for suffix in ("csv", "safetensors"))
    if rows is None or not all((run / weights).is_file() for run in members):
        return {}
    keys = ["source", "image_id"]
    held_out = pd.read_csv(members[0] / table, dtype={"image_id": str, "source": str})[keys]
    theirs = rows.merge(held_out, on=keys)
    others = rows[~rows["image_id"].isin(theirs["image_id"])]
    sample = theirs.groupby("target").sample(HELD_OUT // 2, random_state=0)
    networks = [EarlierRun.of(run).module(weights).network for run in members]
    network = committee_of(networks) if len(networks) > 1 else networks[0]
    images, ranges = (_read(model, some) for some in (sample, others.sample(RANGES, random_state=0)))
    logits = {name: _in_batches(name, network, images, ranges) for name in (BEFORE, *engines)}
    found = {}
    for name in engines:
        difference = paired_difference(
            Counts.roc_auc, logits[name], logits[BEFORE], sample["target"].to_numpy(), sample["group"].to_numpy()
        )
        found[name] = difference.to_dict()
    return found


def _in_batches(name: str, network: Any, images: Tensor, ranges: Tensor) -> np.ndarray:
    engine, why = made(KINDS[name], network, ranges)
    if engine is None:
        raise RuntimeError(f"{name} could be made of the bundled network, but not of a fold's: {why}")
    return np.concatenate([engine(part)[0].numpy() for part in images.split(BATCH)])


def _images(model: Model, rows: pd.DataFrame | None) -> tuple[Tensor, Tensor]:
    """Images to compare answers on, the first a real one where there are any, and others to learn ranges from."""
    drawn = sorted((ROOT / "assets" / "examples").glob("*.jpg"))
    examples = _read(model, pd.DataFrame({"path": [str(file) for file in drawn]}))
    if rows is None:
        return examples, examples
    shuffled = rows.sample(CHECKED + RANGES, random_state=1)
    real = _read(model, shuffled)
    return torch.cat([real[:CHECKED], examples]), real[CHECKED:]


def _read(model: Model, rows: pd.DataFrame) -> Tensor:
    found = []
    for _, image in read_photos([str(path) for path in rows["path"]], model.facts.input, workers=2):
        if isinstance(image, PhotoError):
            raise image
        found.append(image)
    return torch.stack(found)


def _repeated(images: Tensor, count: int) -> Tensor:
    return images.repeat(-(-count // len(images)), 1, 1, 1)[:count]


if __name__ == "__main__":
    run(main)
