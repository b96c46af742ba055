"""Does the heat map mean anything? Where its heat lies, and what removing the hottest pixels does to the logit.

    python -m benchmarks.heat_map_sanity [--data DIR] [--model FILE] [--images N]
        [--fill blur|mean] [--figure FILE]

Takes photos of HAM10000 whose lesion was outlined, half of them melanomas, and holds the model's Grad-CAM against maps
that know nothing of it: an even one, a centred disc, another photo's map, and those of randomised networks. The
outlines (Tschandl et al., Nature Medicine 26, 2020) are in DIR/masks as IMAGE_segmentation.png. Photos that HAM10000
shares with a training set are not left out. Writes benchmarks/results/heat_map_sanity.json.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image
from tqdm import tqdm

from benchmarks.measure import ROOT, run, write_result
from isic_screen.artifact import BUNDLED_MODEL, load_model
from isic_screen.data.tables import read_source
from isic_screen.evaluation.figure_style import (
    BLUE,
    GREY,
    INK,
    SMALL_SIZE,
    VERMILLION,
    label_axes,
    new_figure,
    save,
    set_title,
)
from isic_screen.evaluation.heat_map_sanity import (
    ENERGY_BASELINES,
    FALL_BASELINES,
    SEEDS,
    Bools,
    SanityCheck,
    summarise,
)
from isic_screen.photo import open_photo

BATCH = 32
OUTLINED = 128  # grey level from which a pixel of a mask is lesion; resizing has softened the borders
FILLS = {"blur": "a blurred copy, its standard deviation half a map cell", "mean": "the photo's mean colour"}
NAMES = {
    "map": "heat map",
    "uniform": "uniform map",
    "disc": "centred disc",
    "another_photo": "another photo's map",
    "random_head": "randomised head",
    "random_network": "randomised network",
    "random": "random pixels",
}
WITH_ARTICLE = {
    "uniform": "a uniform map",
    "disc": "a centred disc",
    "another_photo": "another photo's map",
    "random_head": "a randomised head's",
    "random_network": "a fully randomised network's",
    "random": "random pixels",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ROOT.parent / "shared" / "data" / "ham10000"
    parser.add_argument("--data", type=Path, default=default, help="the folder of HAM10000, with masks/ in it")
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="default: the bundled model")
    parser.add_argument("--images", type=int, default=200, help="how many photos, half of them melanomas")
    parser.add_argument("--fill", choices=("blur", "mean"), default="mean", help="what stands in for removed pixels")
    parser.add_argument("--figure", type=Path, help="draw the results into this PNG as well")
    given = parser.parse_args()
    model = load_model(given.model)
    rows = sample(given.data, given.images)
    check = SanityCheck(model.network, given.fill)
    measured: list[dict[str, float]] = []
    for start in tqdm(range(0, len(rows), BATCH), unit="batch", disable=None):
        batch = rows.iloc[start : start + BATCH]
        photos = [open_photo(path) for path in batch["path"]]
        outlines = [read_outline(Path(path)) for path in batch["mask"]]
        measured += check.measure(photos, outlines, [target == 1 for target in batch["target"]])
    result = summarise(pd.concat([rows[["target", "group"]], pd.DataFrame(measured, index=rows.index)], axis=1))
    for line in table(result):
        print(line)
    facts = {
        "model": {"name": model.facts.name, "version": model.facts.version, "sha256": model.sha256},
        "images": len(rows),
        "melanomas": int(rows["target"].sum()),
        "lesions": int(rows["group"].nunique()),
        "energy": "mask area-averaged to the map's cells",
        "removed": f"replaced by {FILLS[given.fill]}",
        "randomised": f"weights shuffled within each tensor, mean of {len(SEEDS)} draws",
    }
    write_result("heat_map_sanity", {**facts, **_rounded(result), "conclusion": conclusion(result)})
    if given.figure:
        save(figure(result), given.figure)


def sample(folder: Path, count: int) -> pd.DataFrame:
    """`count` rows of the photos that have an outline, `mask`, in random order; half melanomas where there are enough.

    Exits when `folder` holds no outlined photo.
    """
    rows = read_source(folder).rows
    rows["mask"] = [str(folder / "masks" / f"{image_id}_segmentation.png") for image_id in rows["image_id"]]
    rows = rows[rows["mask"].map(os.path.isfile)].sample(frac=1, random_state=0)
    if rows.empty:
        raise SystemExit(f"{folder / 'masks'} holds no mask IMAGE_segmentation.png of a photo in {folder}.")
    # Of both classes as far as possible, then mixed: another photo's map must not be that of the same class.
    halves = [rows[rows["target"] == target].head(half) for target, half in ((1, count // 2), (0, count - count // 2))]
    return pd.concat(halves).sample(frac=1, random_state=1)


def read_outline(path: Path) -> Bools:
    """A mask file (H, W) as the pixels inside the lesion. Some of the files have a palette, some are grey."""
    with Image.open(path) as mask:
        inside: Bools = np.asarray(mask.convert("L")) >= OUTLINED
    return inside


def table(result: dict[str, Any]) -> list[str]:
    """The main figures as lines of text, then the conclusion."""
    energy, falls = result["energy_inside"]["all"], result["perturbation"]["mean_fall"]
    lines = [f"{'heat inside the lesion':26}{'mean':>8}   heat map minus it"]
    for title, block, baselines in (("", energy, ENERGY_BASELINES), ("mean fall of the logit", falls, FALL_BASELINES)):
        lines += [title] if title else []
        for name in ("map", *baselines):
            difference = f"   {_interval(block['map_minus'][name])}" if name != "map" else ""
            lines.append(f"  {NAMES[name]:24}{_text(block[name]['value']):>8}{difference}")
    lines.append("rank correlation with the heat map")
    lines += [f"  {NAMES[name]:24}{_interval(each)}" for name, each in result["similarity"].items()]
    return [*lines, f"empty maps: {result['empty_maps']}", conclusion(result)]


def conclusion(result: dict[str, Any]) -> str:
    """What the figures of `summarise` say, in plain sentences; a paired interval that holds 0 is no difference."""
    energy, falls = result["energy_inside"]["all"], result["perturbation"]["mean_fall"]
    similar = {name: _short(each["value"]) for name, each in result["similarity"].items()}
    won = [
        test
        for test, block in (
            ("the heat inside the lesion", energy),
            ("the effect of removing its hottest pixels", falls),
        )
        if (block["map_minus"]["disc"]["low"] or 0) > 0
    ]
    # Not the baselines' own means: these are over other photos, where the map may be empty.
    inside = "; ".join(
        f"{_verdict(energy['map_minus'][name])} {WITH_ARTICLE[name]} ({_points(energy['map_minus'][name])})"
        for name in ENERGY_BASELINES
    )
    empty = result["empty_maps"]
    lost = "; ".join(
        f"{_verdict(falls['map_minus'][name])} {WITH_ARTICLE[name]} ({_short(falls[name]['value'])})"
        for name in FALL_BASELINES
    )
    return (
        "By paired 95 % intervals, the heat map does better than a centred disc in "
        f"{' and '.join(won) or 'neither test'}. It is empty for {empty['all']} of {energy['uniform']['n']} photos, "
        f"{empty['melanoma']} of them melanomas. "
        f"In the other photos, the share of its heat inside the lesion is {_percent(energy['map'])}: {inside}. "
        f"Removing its hottest pixels lowers a melanoma's logit by {_short(falls['map']['value'])} on average: {lost}. "
        f"Its rank correlation with the map of a network with a randomised head is {similar['random_head']}, with that "
        f"of a fully randomised network {similar['random_network']}."
    )


def figure(result: dict[str, Any]) -> Figure:
    """Where the heat lies (left) and what removing it does (right), with 95 % intervals over lesions."""
    drawing, (left, right) = new_figure(1, 2, width=10.4, height=4.6)
    energy, perturbation = result["energy_inside"]["all"], result["perturbation"]
    _draw_energies(left, energy)
    percents = [100 * share for share in (0, *perturbation["shares"])]
    styles = {"map": (VERMILLION, "-"), "disc": (BLUE, "--"), "random": (GREY, ":")}
    for way, (colour, line) in styles.items():
        points = perturbation["falls"][way]
        mean, low, high = (
            np.array([0, *(np.nan if each[key] is None else each[key] for each in points)], dtype=float)
            for key in ("value", "low", "high")
        )
        right.fill_between(percents, low, high, color=colour, alpha=0.15, linewidth=0)
        name = "hottest pixels" if way == "map" else NAMES[way]
        right.plot(percents, mean, line, color=colour, linewidth=2, marker="o", markersize=4, label=name)
    right.axhline(0, color=GREY, linewidth=0.8)
    right.xaxis.set_major_formatter(PercentFormatter(100, decimals=0))
    right.legend(frameon=False, fontsize=SMALL_SIZE)
    label_axes(right, "Share of the photo's pixels removed", "Mean fall of the logit")
    set_title(right, "Does the logit need it?", f"{points[0]['n']:,} melanomas; the higher, the more they mattered")
    return drawing


def _draw_energies(axes: Axes, energy: dict[str, Any]) -> None:
    ways = ("map", *ENERGY_BASELINES)
    for place, name in enumerate(reversed(ways)):
        point, colour = energy[name], VERMILLION if name == "map" else GREY
        if point["value"] is None:
            continue
        if point["low"] is not None:
            axes.plot([point["low"], point["high"]], [place, place], color=colour, linewidth=2)
        axes.plot(point["value"], place, "o", color=colour, markersize=7, markeredgecolor="white")
        label = f"{100 * point['value']:.0f} %"
        axes.annotate(label, (point["value"], place), (0, 7), textcoords="offset points", ha="center", color=INK,
                      fontsize=SMALL_SIZE)  # fmt: skip
    axes.set_yticks(range(len(ways)), [NAMES[name] for name in reversed(ways)])
    axes.set_ylim(-0.5, len(ways) - 0.4)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    label_axes(axes, "Share of the heat inside the lesion's outline", "")
    set_title(axes, "Is the heat on the lesion?", f"{energy['map']['n']:,} photos of HAM10000 whose map is not empty")


def _verdict(difference: dict[str, Any]) -> str:
    """How the map's figure stands to the baseline's."""
    if difference["low"] is None:
        return "not comparable with"
    if difference["low"] > 0:
        return "more than"
    return "less than" if difference["high"] < 0 else "not measurably different from"


def _percent(measured: dict[str, Any]) -> str:
    return "undefined" if measured["value"] is None else f"{100 * measured['value']:.0f} %"


def _points(difference: dict[str, Any]) -> str:
    value = difference["value"]
    return "undefined" if value is None else f"{100 * value:+.0f} points"


def _short(value: float | None) -> str:
    return "undefined" if value is None else f"{round(value, 2) + 0.0:.2f}"  # no "-0.00"


def _interval(measured: dict[str, Any]) -> str:
    return f"{_text(measured['value'])} ({_text(measured['low'])} to {_text(measured['high'])})"


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _rounded(value: Any) -> Any:
    """Floats of nested JSON to four decimals: the rest is noise, and would change from machine to machine."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    run(main)
