"""Does the model take a dermoscope's dark corners for melanoma? The same photos scored without and with drawn ones.

    python -m benchmarks.dark_corners [--data DIR] [--per-class N]

Takes photos whose four corners are bright, draws a round field of view over each, and compares the scores. The lesion
stays as it was, so a sound model would hardly move. HAM10000 was never trained on; most of ISIC 2020 was. Writes
benchmarks/results/dark_corners.json.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.measure import ROOT, run, write_result
from isic_screen.data.tables import read_source
from isic_screen.photo import open_photo
from isic_screen.screener import Screener

SOURCES = ("ham10000", "isic2020")
BRIGHT = 90  # mean grey level, of 255, that every corner has at least
FIELD = 0.56  # radius of the round field of view, as a share of the photo's width in a 4:3 frame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="the folder of the sources")
    parser.add_argument("--per-class", type=int, default=100, help="photos of each class of each source")
    given = parser.parse_args()
    screener = Screener()
    threshold = screener.facts.default_threshold
    groups = []
    for source in SOURCES:
        rows = read_source(given.data / source).rows.sample(frac=1, random_state=0)
        for target, members in rows.groupby("target"):
            photos = _with_bright_corners(members, given.per_class)
            before, after = ([screener.screen(each) for each in some] for some in (photos, map(with_corners, photos)))
            shifts = [b.logit - a.logit for a, b in zip(before, after, strict=True)]
            groups.append(
                {
                    "source": source,
                    "melanoma": bool(target),
                    "photos": len(photos),
                    "mean_logit_shift": round(float(np.mean(shifts)), 2),
                    "scored_higher": sum(shift > 0 for shift in shifts),
                    "flagged_without": sum(screening.flagged(threshold) for screening in before),
                    "flagged_with": sum(screening.flagged(threshold) for screening in after),
                }
            )
    write_result("dark_corners", {"groups": groups})


def with_corners(photo: Image.Image) -> Image.Image:
    """The photo with everything outside a round field of view darkened to a twentieth."""
    pixels = np.asarray(photo, dtype=float)
    height, width = pixels.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    # The files were squashed to a square: the circle is drawn as it was in a 4:3 photo.
    radius = np.hypot(x / width - 0.5, (y / height - 0.5) * 0.75)
    outside = 1 / (1 + np.exp(np.clip((FIELD - radius) / 0.006, -50, 50)))
    return Image.fromarray((pixels * (1 - 0.95 * outside)[..., None]).round().astype(np.uint8))


def _with_bright_corners(rows: pd.DataFrame, count: int) -> list[Image.Image]:
    photos: list[Image.Image] = []
    for path in rows["path"]:
        photo = open_photo(path)
        grey = np.asarray(photo.convert("L"))
        side = max(4, grey.shape[0] // 16)
        ends = (slice(None, side), slice(-side, None))
        if min(grey[rows_of, columns].mean() for rows_of in ends for columns in ends) >= BRIGHT:
            photos.append(photo)
        if len(photos) == count:
            break
    return photos


if __name__ == "__main__":
    run(main)
