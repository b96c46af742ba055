"""How many real dermoscopy photos the quality checks stop, and how many spoilt or ordinary pictures they let through.

    python -m benchmarks.quality_rates [--data DIR] [--per-source N] [--ordinary DIR]

The images of each source are shuffled with a fixed seed and cut in two halves, measured apart: the limits in
``isic_screen/quality.py`` were chosen by eye on a sample that overlaps both, so that halves which agree show limits
that do not hang on single photos. Spoilt copies of photos (blurred, darkened, burnt, shrunk) and pictures that are not
dermoscopy (generated ones, scikit-learn's two sample photos, and every picture under ``--ordinary``) measure the other
side. The committed result used the sample pictures of scikit-image, gradio, matplotlib and networkx as ordinary ones.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.measure import ROOT, run, write_result
from isic_screen.errors import DataError, PhotoError
from isic_screen.photo import PHOTO_SUFFIXES, open_photo
from isic_screen.quality import Quality, assess

SOURCES = {
    "isic2020": "isic2020/train",
    "ham10000": "ham10000/images",
    "isic2017": "isic2017/images",
    "photos": "photos",
}
SPOILT: dict[str, Callable[[Image.Image], Image.Image]] = {
    "blurred, sigma 1 % of the shorter side": lambda photo: _blurred(photo, 0.01),
    "blurred, sigma 2 % of the shorter side": lambda photo: _blurred(photo, 0.02),
    "blurred, sigma 4 % of the shorter side": lambda photo: _blurred(photo, 0.04),
    "darkened to a quarter": lambda photo: photo.point(lambda value: value // 4),
    "burnt, three times as bright": lambda photo: photo.point(lambda value: min(255, 3 * value)),
    "without colours": lambda photo: photo.convert("L").convert("RGB"),
    "shrunk to 90 pixels": lambda photo: photo.resize((90, 90)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="the folder of the sources")
    parser.add_argument("--per-source", type=int, default=1000, help="photos of each source in each half at most")
    parser.add_argument("--ordinary", type=Path, action="append", default=[], help="a folder of ordinary pictures")
    arguments = parser.parse_args()
    halves: dict[str, dict[str, list[Path]]] = {"first half": {}, "second half": {}}
    for source, paths in photos_of(arguments.data).items():
        halves["first half"][source] = paths[0::2][: arguments.per_source]
        halves["second half"][source] = paths[1::2][: arguments.per_source]
    result: dict[str, object] = {half: {} for half in halves}
    with ThreadPoolExecutor(2) as pool:
        for half, sources in halves.items():
            rates = {s: tally(pool.map(lambda p: assess(open_photo(p)), paths)) for s, paths in sources.items()}
            everything = [path for paths in sources.values() for path in paths]
            rates["all"] = tally(pool.map(lambda p: assess(open_photo(p)), everything))
            result[half] = rates
        some = [path for paths in halves["second half"].values() for path in paths[:150]]
        result["spoilt copies of photos of the second half"] = {
            name: tally(pool.map(lambda p, spoil=spoil: assess(spoil(open_photo(p))), some))
            for name, spoil in SPOILT.items()
        }
    result["not dermoscopy"] = {
        "generated": tally(map(assess, generated())),
        "photos and pictures": tally(map(assess, ordinary(arguments.ordinary))),
    }
    photos = [open_photo(path) for path in halves["second half"]["isic2020"][:50]]
    if photos:
        result["milliseconds for one photo of isic2020, median"] = round(median_milliseconds(photos), 2)
    write_result("quality_rates", result)


def photos_of(data: Path) -> dict[str, list[Path]]:
    """The photos of each of SOURCES in a random order that stays the same. Raises DataError where there is none."""
    found = {}
    for source, folder in SOURCES.items():
        paths = sorted(path for path in (data / folder).rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
        random.Random(source).shuffle(paths)
        found[source] = paths
    if not any(found.values()):
        raise DataError(f"{data} has no photos in {', '.join(SOURCES.values())}: name the folder of these with --data.")
    return found


def tally(qualities: Iterable[Quality]) -> dict[str, object]:
    """Counts and shares of the verdicts, and how often each reason (its words before the bracket) was given."""
    found = list(qualities)
    verdicts = Counter(quality.verdict for quality in found)
    reasons = Counter(reason.split(" (")[0] for quality in found for reason in quality.reasons)
    shares = (
        {f"{verdict} share": round(verdicts[verdict] / len(found), 4) for verdict in ("doubtful", "unfit")}
        if found
        else {}
    )
    counts = {str(name): count for name, count in verdicts.items()}
    return {"photos": len(found), **counts, **shares, "reasons": dict(reasons.most_common())}


def ordinary(folders: list[Path]) -> Iterator[Image.Image]:
    from sklearn.datasets import load_sample_images

    yield from (Image.fromarray(picture) for picture in load_sample_images().images)
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            try:
                yield open_photo(path)
            except PhotoError:
                continue


def generated() -> Iterator[Image.Image]:
    """Blank pictures, a gradient, noise, text and charts."""
    rng = np.random.default_rng(0)
    yield from (Image.new("RGB", (400, 300), colour) for colour in ("white", "black", "grey", "#d8a080", "#0040ff"))
    yield Image.linear_gradient("L").convert("RGB")
    yield Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8))
    for paper, ink in (("white", "black"), ("#222", "#eee"), ("#f4ecd8", "#503020")):
        page = Image.new("RGB", (600, 400), paper)
        draw = ImageDraw.Draw(page)
        for line in range(10, 390, 14):
            draw.text((10, line), "The quick brown fox jumps over the lazy dog. " * 2, fill=ink)
        yield page
        chart = Image.new("RGB", (600, 400), paper)
        draw = ImageDraw.Draw(chart)
        for bar, height in enumerate(rng.integers(20, 350, 10)):
            draw.rectangle((40 + 50 * bar, 380 - int(height), 75 + 50 * bar, 380), fill=ink)
        yield chart


def median_milliseconds(photos: list[Image.Image]) -> float:
    times = []
    for photo in photos:
        start = time.perf_counter()
        assess(photo)
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))


def _blurred(photo: Image.Image, sigma: float) -> Image.Image:
    return photo.filter(ImageFilter.GaussianBlur(sigma * min(photo.size)))


if __name__ == "__main__":
    run(main)
