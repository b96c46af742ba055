"""How many images a second a GPU trains on: one network, and several networks at a time, each in its own process.

    python -m benchmarks.gpu_training [--device cuda] [--processes N …] [--images N]

Trains by the recipe `screen` on noise, every image distorted anew as `stem_uses = 0` has it. A single process does so
both ways: the next batch made in another thread (`training.draws.ahead`), and each batch only when it is wanted. An
epoch is timed after two that warm up. Writes benchmarks/results/gpu_training.json.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.measure import ROOT, write_result
from isic_screen.training import fine_tuning
from isic_screen.training.draws import TrainingImages
from isic_screen.training.recipe import FineTuneRecipe, load_recipe
from isic_screen.training.sampling import DIAGNOSES

CASES = ((0, 192, 32), (0, 192, 64), (0, 192, 128), (4, 176, 32))
"""Frozen stages, size of the images, and how many are in a batch."""
NOISE = 1024  # images of it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--images", type=int, default=960, help="of an epoch; default: 960")
    parser.add_argument("--rate", nargs=4, metavar=("FROZEN", "SIZE", "BATCH", "AHEAD"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error(f"this machine has no GPU that PyTorch can use: name another --device than {given.device}")
    if given.rate:
        frozen, size, batch, ahead = map(int, given.rate)
        print(_rate(torch.device(given.device), (frozen, size, batch), bool(ahead), given.images))
        return
    rows = []
    for processes in given.processes:
        for case in CASES:
            for ahead in (False, True) if processes == 1 else (True,):
                named = dict(zip(("frozen_stages", "size", "batch"), case, strict=True))
                rate = round(_together(given, processes, case, ahead))
                rows.append({"processes": processes, **named, "made_ahead": ahead, "images_a_second": rate})
                print(rows[-1], flush=True)
    cuda = given.device.startswith("cuda")
    write_result(
        "gpu_training",
        {
            "device": torch.cuda.get_device_name(given.device) if cuda else given.device,
            "cores": os.cpu_count(),
            "torch": torch.__version__,
            "backbone": load_recipe("screen").backbone,
            "cases": rows,
        },
    )


def _together(given: argparse.Namespace, processes: int, case: tuple[int, int, int], ahead: bool) -> float:
    """Images a second of some processes at the same time: their median, times their number."""
    command = [sys.executable, "-m", "benchmarks.gpu_training", "--device", given.device, "--images", str(given.images)]
    command += ["--rate", *map(str, case), str(int(ahead))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    said = [process.communicate()[0] for process in running]
    return processes * statistics.median(map(float, said))


def _rate(device: torch.device, case: tuple[int, int, int], ahead: bool, images: int) -> float:
    frozen, size, batch = case
    recipe = load_recipe("screen")
    if not isinstance(recipe, FineTuneRecipe):
        raise TypeError("the recipe screen trains no whole network")
    if not ahead:
        fine_tuning.ahead = _when_wanted
    recipe = replace(
        recipe,
        input_size=size,
        frozen_stages=frozen,
        batch_size=batch,
        first_size=size,
        train_size=size,
        stem_uses=0,
        epochs=3,
        epoch_images=images,
    )
    random, numbers = np.random.default_rng(0), np.arange(NOISE)
    coarse = random.integers(0, 256, (NOISE, 16, 16, 3), np.uint8)
    pixels = coarse.repeat(recipe.pixels // 16, 1).repeat(recipe.pixels // 16, 2)  # as smooth as skin, for the JPEGs
    weights = np.full(NOISE, 1 / NOISE)
    noise = TrainingImages(pixels, numbers, numbers % 2, numbers % len(DIAGNOSES), weights)
    history = fine_tuning.fine_tune(recipe.network(None), noise, recipe, device=device, quiet=True)
    return images // batch * batch / history[-1]["seconds"]


def _when_wanted(items: Iterator[Any]) -> Iterator[Any]:
    return items


if __name__ == "__main__":
    main()
