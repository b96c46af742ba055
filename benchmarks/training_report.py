"""The figures of the benchmarks kill_training, growth and gpu_training as tables in docs/training.md.

    python -m benchmarks.training_report

The first two call it when they have written their results; a test checks that it changes nothing.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import RESULTS, ROOT
from benchmarks.stand_ins import CHALLENGE
from isic_screen.training.recipe import FineTuneRecipe, load_recipe, load_starts

DOCUMENT = ROOT / "docs" / "training.md"

CORES_AN_H100 = 16
"""CPU cores that come with each GPU, as hosts of GPUs have them."""


def kills_table(result: dict[str, Any]) -> str:
    """What was killed, where, and what differed."""
    rows = ["| recipe | kills | killed in | runs compared | differences |", "| --- | --- | --- | --- | --- |"]
    for recipe, found in result.items():
        stages = ", ".join(f"{stage} {times}" for stage, times in found["killed_in"].items())
        rows.append(
            f"| `{recipe}` | {found['kills']} | {stages} | {found['runs_finished_and_compared']} | "
            f"**{len(found['differences'])}** |"
        )
    return "\n".join(rows)


def growth_table(result: dict[str, Any]) -> str:
    """Time and memory of each stage at each size of set."""
    cases = result["sizes"]
    rows = [
        "| stage | " + " | ".join(f"{case['images']:,} images" for case in cases) + " |",
        "| --- |" + " --- |" * len(cases),
        _row("photos", cases, lambda case: f"{case['megapixels_an_image']:.3g} megapixels on average"),
        _row("stored as squares of", cases, lambda case: f"{case['pixels']} pixels"),
    ]
    for stage in cases[0]["stages"]:
        costs = " | ".join(_cost(case["stages"][stage], case) for case in cases)
        rows.append(f"| {stage.replace('_', ' ')} | {costs} |")
    return "\n".join(rows)


def machines_table(result: dict[str, Any]) -> str:
    """What a run of the screen recipe on the whole challenge is bound by, from the cost of an image on one core."""
    stages, images = next(case["stages"] for case in result["sizes"] if case["images"] == CHALLENGE), CHALLENGE
    decode = 2 * stages["decode"]["ms_an_image"]  # on two cores
    distort = stages["distortion"]["ms_an_image"]
    draws_each, networks = _draws_of_the_recipe()
    draws = draws_each * networks
    rows = [
        "| | one photo on one core | photos | 2 cores | one H100, 16 cores | eight, 128 cores |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, cost, count in (
        ("decoding, once", decode, images),
        ("scoring held-out photos: decoding", decode, images),
        ("augmentation of the samples", distort, draws),
    ):
        hours = [cost * count / 3.6e6 / cores for cores in (2, CORES_AN_H100, 8 * CORES_AN_H100)]
        told = " | ".join(_time(3600 * each) for each in hours)
        rows.append(f"| {name} | {cost:.1f} ms | {count:,} | {told} |")
    rate = _rates(json.loads((RESULTS / "gpu_training.json").read_text(encoding="utf-8")))
    network = stages["training_steps"]["ms_an_image"] * draws / 1000
    rows.append(
        f"| training, each network with its own augmentation | | {draws:,} | {_time(network)} | "
        f"{_time(draws / rate[8, 32, True])}, all {networks} networks in parallel | "
        f"{_time(draws_each / rate[1, 32, True])}, one network on each of {networks} |"
    )
    return "\n".join(rows)


def _draws_of_the_recipe() -> tuple[int, int]:
    """Images that each network of the recipe `screen` is trained on, those of its starts among them; and how many
    networks a run trains."""
    recipe = load_recipe("screen")
    if not isinstance(recipe, FineTuneRecipe):
        raise TypeError("the recipe screen trains no whole network")
    goes = (recipe, *load_starts(recipe))
    return sum(go.epochs * go.epoch_images for go in goes), recipe.folds + 1


def gpu_table(result: dict[str, Any]) -> str:
    """Images a second that a GPU trains on."""
    rows = [
        f"| {result['device']}, {result['cores']} cores | frozen stages | size | batch | images per second |",
        "| --- | --- | --- | --- | --- |",
    ]
    for case in result["cases"]:
        several = "one network" if case["processes"] == 1 else f"{case['processes']} networks in parallel"
        how = "" if case["made_ahead"] else ", no prefetching of batches"
        values = " | ".join(f"{case[name]:,}" for name in ("frozen_stages", "size", "batch", "images_a_second"))
        rows.append(f"| {several}{how} | {values} |")
    return "\n".join(rows)


def _rates(result: dict[str, Any]) -> dict[tuple[int, int, bool], int]:
    """Images a second with all stages, by processes, batch, and whether batches are made ahead."""
    return {
        (case["processes"], case["batch"], case["made_ahead"]): case["images_a_second"]
        for case in result["cases"]
        if not case["frozen_stages"]
    }


def _row(name: str, cases: list[dict[str, Any]], value: Callable[[dict[str, Any]], str]) -> str:
    return f"| {name} | " + " | ".join(value(case) for case in cases) + " |"


def _cost(stage: dict[str, Any], case: dict[str, Any]) -> str:
    part = "" if stage["images"] == case["images"] else f"{stage['images']:,} of them: "
    return f"{part}{_time(stage['seconds'])}, {stage['ms_an_image']:.2g} ms per photo, {stage['peak_mb']:,} MB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


TABLES = {
    "kills": (kills_table, "kill_training"),
    "growth": (growth_table, "growth"),
    "machines": (machines_table, "growth"),
    "gpu": (gpu_table, "gpu_training"),
}


def with_tables(document: str) -> str:
    """The document with each table made anew from the results that are there."""
    for name, (table, result) in TABLES.items():
        found = json.loads((RESULTS / f"{result}.json").read_text(encoding="utf-8"))
        place = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        filled = table(found).replace("\\", r"\\")
        document, times = place.subn(rf"\g<1>{filled}\n\g<2>", document)
        if times != 1:
            raise ValueError(f"the document has {times} places for the table {name!r}, not 1")
    return document


def write_document(document: Path = DOCUMENT) -> None:
    document.write_text(with_tables(document.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write_document()
