"""How the stages of training grow with the number of images: 1,000, the 33,126 of ISIC 2020, the 400,000 of ISIC 2024.

    python -m benchmarks.growth [--sizes N …] [--real DIR] [--folder DIR] [--model-images N]

The label table of up to 33,126 images is the official one of ISIC 2020, when `--real` has it. Its photos are not at
hand in full, so a few stand-ins are made from real ones, at the sizes and in the shares of the originals, and linked
under every name: each is read, hashed and decoded for every image, from the system's file cache. Larger sets have
tiles of 100 to 200 pixels, as ISIC 2024 has, and tables that are made up.

Each stage runs in a process of its own, so that its memory is its own. Stages whose cost an image does not depend on
the number of images (a training step, scoring) are timed on `--model-images` of them, and said to be so. Writes
benchmarks/results/growth.json and the figure assets/benchmarks/growth.png.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.ticker import NullLocator

from benchmarks.measure import RESULTS, ROOT, write_result
from benchmarks.stand_ins import CHALLENGE, make_set
from benchmarks.training_report import write_document
from isic_screen.calibration import fit_platt
from isic_screen.data.splits import fold_rows
from isic_screen.data.tables import DataSet, read_sources
from isic_screen.evaluation.figure_style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    SMALL_SIZE,
    VERMILLION,
    label_axes,
    new_figure,
    save,
    set_title,
)
from isic_screen.evaluation.report import write_report
from isic_screen.training.pixels import cached_pixels
from isic_screen.training.recipe import FineTuneRecipe, load_recipe
from isic_screen.training.sampling import sampling_weights
from isic_screen.training.setting import Setting
from isic_screen.training.whole_network import WholeNetwork

SIZES = (1_000, CHALLENGE, 400_000)
SECONDS_BETWEEN_LOOKS = 0.05
FIGURE = ROOT / "assets" / "benchmarks" / "growth.png"


@dataclass(frozen=True)
class Case:
    """A data set of `images` in `folder`, decoded to squares of `pixels`."""

    images: int
    folder: Path
    cache: Path
    pixels: int
    model_images: int

    def data(self) -> DataSet:
        return read_sources([self.folder])

    def recipe(self) -> FineTuneRecipe:
        recipe = load_recipe(
            "screen", ["epochs=1", "first_size=176", f"pixels={self.pixels}", f"epoch_images={self.model_images}"]
        )
        assert isinstance(recipe, FineTuneRecipe)
        return recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=list(SIZES), metavar="N", help="others keep what was measured before"
    )
    parser.add_argument("--real", type=Path, default=ROOT.parent / "shared" / "data" / "isic2020", metavar="DIR")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the sets are made; needs 25 GB free")
    parser.add_argument("--model-images", type=int, default=640, metavar="N")
    given = parser.parse_args()
    found = measured_before()
    for size in given.sizes:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            # A table of 400,000 squares of 224 pixels takes 60 GB; tiles are hardly larger than 96.
            case = Case(
                size, Path(folder) / "set", Path(folder) / "cache", 224 if size <= CHALLENGE else 96, given.model_images
            )
            described = make_set(case.folder, size, given.real)
            stages = {}
            for stage in STAGES:
                stages[stage.__name__] = measured = run_alone(stage, case)
                print(size, stage.__name__, measured, flush=True)
            found[size] = {"images": size, **described, "pixels": case.pixels, "stages": stages}
        # After each size: the next may take an hour, or the disk.
        cases = [found[images] for images in sorted(found)]
        write_result("growth", {"sizes": cases})
        FIGURE.parent.mkdir(exist_ok=True)
        draw(cases, FIGURE)
        write_document()


def measured_before() -> dict[int, dict[str, Any]]:
    """What this benchmark found at each size of set, of those that it was asked for so far."""
    if not (file := RESULTS / "growth.json").is_file():
        return {}
    return {case["images"]: case for case in json.loads(file.read_text(encoding="utf-8"))["sizes"]}


Work = tuple[int, Callable[[], object]]
"""How many images a stage sees to, and what of it is timed: what comes before belongs to other stages."""


def tables(case: Case) -> Work:
    """Read and check the label table and find every photo."""
    return case.images, case.data


def split(case: Case) -> Work:
    """Five folds by patient, and how often each image is drawn."""
    rows, recipe = case.data().rows, case.recipe()

    def work() -> None:
        fold_rows(rows, folds=5)
        sampling_weights(
            rows,
            source_power=recipe.source_power,
            melanoma_share=recipe.melanoma_share,
            diagnosis_power=recipe.diagnosis_power,
            within_camera=recipe.within_camera,
        )

    return len(rows), work


def decode(case: Case) -> Work:
    """Hash every file and decode it into the cache."""
    paths = case.data().rows["path"].tolist()
    return len(paths), lambda: cached_pixels(paths, case.pixels, case.cache, os.cpu_count() or 1)


def decoded_before(case: Case) -> Work:
    """The same once the cache is there: the hashes alone."""
    return decode(case)


def training_steps(case: Case) -> Work:
    """Steps of the screen recipe at its full image size, on decoded images; as many at every size of set."""
    run = _run(case)
    return case.model_images, lambda: run.fit(run.rows, run.setting.out / "checkpoint.safetensors")


def distortion(case: Case) -> Work:
    """What augmentation takes of a training step, on one core: the part that a faster network leaves as it is."""
    pixels = cached_pixels(case.data().rows["path"].tolist(), case.pixels, case.cache, os.cpu_count() or 1).images
    recipe, random = case.recipe(), np.random.default_rng(0)
    distort = recipe.distortion()
    torch.set_num_threads(1)

    def work() -> None:
        for first in range(0, case.model_images, recipe.batch_size):
            rows = np.arange(first, first + recipe.batch_size) % len(pixels)
            distort(pixels[rows], recipe.train_size, torch.device("cpu"), random)

    return case.model_images, work


def scoring(case: Case) -> Work:
    """Photos decoded and seen by the network as held-out images are; as many at every size of set."""
    run = _run(case)
    network = run.recipe.network(None)
    paths = run.rows["path"].tolist()[: case.model_images]
    return len(paths), lambda: run.look(network, paths)


def report(case: Case) -> Work:
    """Calibration and the whole evaluation report, with its bootstraps, on scores that are drawn."""
    rows = case.data().rows
    logit = np.random.default_rng(0).normal(size=len(rows)) + 1.5 * rows["target"]

    def work() -> None:
        probability = fit_platt(logit, rows["target"], prevalence=0.018).probability(logit)
        predictions = rows.assign(logit=logit, probability=probability)
        write_report(case.cache / "report", predictions, prevalence=0.018, title="Drawn scores")

    return len(rows), work


STAGES = (tables, split, decode, decoded_before, distortion, training_steps, scoring, report)
CONSTANT = (distortion, training_steps, scoring)


def _run(case: Case) -> WholeNetwork:
    setting = Setting(case.cache / "run", case.cache, torch.device("cpu"), os.cpu_count() or 1)
    return WholeNetwork.prepare(case.data(), case.recipe(), setting)


def run_alone(stage: Callable[[Case], Work], case: Case) -> dict[str, float]:
    """Seconds, milliseconds an image and the peak of memory in MB of a stage in a process of its own."""
    receiving, sending = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_measure, args=(stage, case, sending))
    process.start()
    sending.close()
    try:
        measured: dict[str, float] = receiving.recv()
    except EOFError:
        raise SystemExit(f"{stage.__name__} of {case.images} images failed.") from None
    process.join()
    return measured


def _measure(stage: Callable[[Case], Work], case: Case, sending: Any) -> None:
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(SECONDS_BETWEEN_LOOKS):
            peak[0] = max(peak[0], own_memory())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        images, work = stage(case)
        started = time.perf_counter()
        work()
        seconds = time.perf_counter() - started
    finally:
        done.set()
        watching.join()
    sending.send(
        {
            "images": images,
            "seconds": round(seconds, 2),
            "ms_an_image": round(1000 * seconds / images, 4),
            "peak_mb": round(max(peak[0], own_memory())),
        }
    )


def own_memory() -> float:
    """MB of memory of this process that are no pages of files, which the system takes back when it needs them."""
    with open("/proc/self/status", encoding="ascii") as file:
        lines = dict(line.split(":", 1) for line in file)
    return sum(int(lines[name].split()[0]) for name in ("RssAnon", "RssShmem")) / 1000


def draw(found: list[dict[str, Any]], path: Path) -> None:
    """Minutes of each stage against the number of images, both on logarithmic scales."""
    figure, (axes,) = new_figure(width=6.4, height=4.6)
    images = [case["images"] for case in found]
    looks = ((BLUE, "o"), (VERMILLION, "s"), (GREEN, "^"), (GREY, "D"), (INK, "v"))
    growing = [stage.__name__ for stage in STAGES if stage not in CONSTANT]
    for name, (colour, marker) in zip(growing, looks, strict=True):
        minutes = [case["stages"][name]["seconds"] / 60 for case in found]
        axes.loglog(images, minutes, color=colour, marker=marker, linewidth=1.2, label=name.replace("_", " "))
    axes.set_xticks(images, [f"{count:,}" for count in images])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(frameon=False, fontsize=SMALL_SIZE, loc="center left", bbox_to_anchor=(1, 0.5))
    label_axes(axes, "images", "minutes on two cores")
    how = "each stage in a process of its own"
    if images[-1] > CHALLENGE:
        how += f"; beyond {CHALLENGE:,} the photos are small tiles"
    set_title(axes, "What a larger set costs before and after training", how)
    save(figure, path)


if __name__ == "__main__":
    main()
