"""What a photo costs against its size: from file to answer on the page, ours and the naive way, and a plot of both.

    python -m benchmarks.sizes [--photo FILE] [--repeats N]

One photo is resized to each size and saved as JPEG; the two ways are those of `benchmarks.answer` and take turns;
the time is that of one processor.
Writes benchmarks/results/sizes.json and assets/benchmarks/cost_against_size.png.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.answer import naive, page
from benchmarks.decode import default_photo, jpeg
from benchmarks.measure import FIGURES, alternate, run, write_result
from isic_screen.evaluation.figure_style import BLUE, SMALL_SIZE, VERMILLION, label_axes, new_figure, save, set_title
from isic_screen.screener import Screener
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.texts import LANGUAGES

SIZES = ((320, 240), (640, 480), (1024, 768), (2048, 1536), (3000, 2000), (4500, 3000), (6000, 4000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, default=default_photo(), help="default: a real photo, or an example")
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    torch.set_num_threads(1)
    callbacks = Callbacks(Screener(), LANGUAGES[0])
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for width, height in SIZES:
            file = Path(folder) / f"{width}.jpg"
            file.write_bytes(jpeg(given.photo, (width, height)))
            ways = partial(page, callbacks, file), partial(naive, callbacks, file)
            ours, naively = alternate(*ways, given.repeats, time.process_time)
            found.append(
                {
                    "width": width,
                    "height": height,
                    "megapixels": round(width * height / 1e6, 2),
                    "ours_ms": round(1000 * ours, 1),
                    "naive_ms": round(1000 * naively, 1),
                    "naive_over_ours": round(naively / ours, 2),
                }
            )
    write_result("sizes", {"repeats": given.repeats, "sizes": found})
    plot(found, FIGURES / "cost_against_size.png")


def plot(sizes: list[dict[str, Any]], path: Path) -> None:
    """Time of one photo against its megapixels, both ways."""
    figure, (axes,) = new_figure(width=6.4, height=4.4)
    megapixels = [size["megapixels"] for size in sizes]
    for name, key, colour in (("naive way", "naive_ms", VERMILLION), ("isic-screen", "ours_ms", BLUE)):
        times = [size[key] for size in sizes]
        axes.plot(megapixels, times, color=colour, marker="o", markersize=4, linewidth=1.8)
        axes.annotate(
            name,
            (megapixels[-1], times[-1]),
            (0, 7),
            textcoords="offset points",
            ha="right",
            color=colour,
            fontsize=9.5,
        )
    for size in (sizes[0], sizes[-1]):
        axes.annotate(
            f"{size['naive_over_ours']:.3g} x",
            (size["megapixels"], (size["ours_ms"] * size["naive_ms"]) ** 0.5),
            (6 if size is sizes[0] else -6, 0),
            textcoords="offset points",
            ha="left" if size is sizes[0] else "right",
            fontsize=SMALL_SIZE,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(megapixels, [f"{value:.2g}" for value in megapixels])
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter("{x:g}")
    label_axes(axes, "size of the JPEG (megapixels)", "from file to answer (processor milliseconds)")
    set_title(axes, "Cost of one photo against its size", "naive: full decode with Pillow, grad-cam library, overlay")
    path.parent.mkdir(parents=True, exist_ok=True)
    save(figure, path)


if __name__ == "__main__":
    run(main)
