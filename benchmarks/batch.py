"""Many photos: photos a second against the loop one would first write, and memory from the first to the last photo.

    python -m benchmarks.batch [--data DIR] [--photos N] [--repeats N] [--long N] [--stand-in N] [--quick]

*Rate*: a mix of real photos and 24-megapixel JPEGs. *Naive* decodes with Pillow in full, one photo after the other, and
takes probability and heat map from the grad-cam library in eager fp32; it gets the number of PyTorch threads, one or
all, with which it is faster. The two take turns. On a busy machine the processor time says more than the rate.
*Memory*: in a process of its own, resident megabytes at a tenth and at the end of a run over --long real photos, and of
one over --stand-in small files, where a stand-in that says 0.5 takes the network's place: the rest of the way, from
finding 50,000 files to the CSV and to going on with it, is as always.
Writes benchmarks/results/batch.json.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.decode import SIZES, default_photo, jpeg
from benchmarks.heat_map import Hooked, by_library
from benchmarks.measure import ROOT, in_turns, run, write_result
from isic_screen.batch import ScreensPhotos, find_photos, screen_files
from isic_screen.errors import PhotoError
from isic_screen.export import resume_csv, write_csv
from isic_screen.photo import open_photo
from isic_screen.quality import Quality, assess
from isic_screen.screener import Screener, Screening

LARGE_SHARE = 10  # one photo in ten has 24 megapixels
DIFFERENT = 100  # small files of the long run; the others are links to them
THRESHOLD = 0.03


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="the folder of real photos")
    parser.add_argument("--photos", type=int, default=20, help="of the mix whose rate is measured")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--long", type=int, default=5_000, help="real photos of the memory run")
    parser.add_argument("--stand-in", type=int, default=50_000, help="small files of the run without a network")
    parser.add_argument("--quick", action="store_true", help="shorter runs: 200 and 2,000")
    given = parser.parse_args()
    long, stand_in = (200, 2_000) if given.quick else (given.long, given.stand_in)
    real = list(islice(_real_photos(given.data), long)) or [default_photo()]
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        result["rate"] = rate(_mix(real, given.photos, Path(folder)), 1 if given.quick else given.repeats)
    repeated = [real[number % len(real)] for number in range(long)]
    result["memory"] = [
        _alone(partial(memory_of_real_photos, repeated)),
        _alone(partial(memory_of_small_files, stand_in)),
    ]
    write_result("batch", result)


def rate(files: Sequence[Path], repeats: int) -> dict[str, Any]:
    """Photos a second of screen_files and of the naive loop, over the same files."""
    screener, threads = Screener(), torch.get_num_threads()
    hooked = Hooked(screener.model.network)

    def naive(count: int) -> None:
        torch.set_num_threads(count)
        for file in files:
            with Image.open(file) as image:
                photo = image.convert("RGB")
            by_library(hooked, screener.facts.input(photo).unsqueeze(0))
        torch.set_num_threads(threads)

    def ours(workers: int) -> None:
        failed = [found for found in screen_files(screener, files, workers=workers) if isinstance(found, PhotoError)]
        if failed:
            raise failed[0]

    cores = os.cpu_count() or 1
    ways: dict[str, Callable[[], object]] = {"ours": partial(ours, cores), "ours, one worker": partial(ours, 1)}
    ways |= {f"naive, threads {count}": partial(naive, count) for count in sorted({1, threads})}
    processor: dict[str, list[float]] = {name: [] for name in ways}

    def measured(name: str) -> None:
        before = time.process_time()
        ways[name]()
        processor[name].append(time.process_time() - before)

    taken = in_turns({name: partial(measured, name) for name in ways}, repeats, warm_up=1)
    busy = {name: statistics.median(seconds[1:]) for name, seconds in processor.items()}
    naively, naive_busy = (min(s for n, s in each.items() if n.startswith("naive")) for each in (taken, busy))
    return {
        "photos": len(files),
        "of_24_megapixels": sum(file.stem.startswith("large") for file in files),
        "workers": cores,
        "repeats": repeats,
        "photos_a_second": {name: round(len(files) / seconds, 1) for name, seconds in taken.items()},
        "ours_over_naive": round(naively / taken["ours"], 2),
        "processor_ms_a_photo": {name: round(1000 * seconds / len(files), 1) for name, seconds in busy.items()},
        "naive_over_ours_processor_time": round(naive_busy / busy["ours"], 2),
        "all_workers_over_one": round(taken["ours, one worker"] / taken["ours"], 2),
    }


def memory_of_real_photos(files: Sequence[Path]) -> dict[str, Any]:
    """Resident megabytes along a run with the bundled model."""
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{number:06} {file.name}" for number, file in enumerate(files)]
        return {"network": "bundled model", **_run(Screener(), names, files, Path(folder) / "out.csv")}


def memory_of_small_files(count: int) -> dict[str, Any]:
    """The same for `count` small files in one folder and a stand-in network; and how long finding and going on take."""
    with tempfile.TemporaryDirectory() as folder:
        photos, out = Path(folder) / "photos", Path(folder) / "out.csv"
        photos.mkdir()
        random = np.random.default_rng(0)
        for number in range(count):
            file = photos / f"{number:06}.jpg"
            if number < DIFFERENT:
                noise = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
                Image.fromarray(noise).resize((160, 120), Image.Resampling.BICUBIC).save(file, quality=85)
            else:
                os.link(photos / f"{number % DIFFERENT:06}.jpg", file)
        started = time.perf_counter()
        names, files = zip(*find_photos([photos])[0], strict=True)
        finding = time.perf_counter() - started
        found = _run(_StandIn(), names, files, out)
        half = out.read_bytes()
        out.write_bytes(half[: len(half) // 2])  # as a kill leaves it
        started = time.perf_counter()
        done = resume_csv(out, names, THRESHOLD).rows
        return {
            "network": "stand-in",
            **found,
            "finding_us_a_file": round(1e6 * finding / count, 1),
            "resume_us_a_row": round(1e6 * (time.perf_counter() - started) / done, 1),
        }


class _StandIn:
    """Says 0.5 of every photo, and of its quality what it found of the first."""

    quality: Quality | None = None

    def screen_many(self, photos: Sequence[Image.Image]) -> list[Screening]:
        self.quality = self.quality or assess(photos[0])
        return [Screening(0.5, 0.0, self.quality, np.zeros((7, 7), np.float32)) for _ in photos]


def _run(screener: ScreensPhotos, names: Sequence[str], files: Sequence[Path], out: Path) -> dict[str, Any]:
    tenth, resident = len(files) // 10, list[int]()

    def watched() -> Iterator[tuple[str, Screening | PhotoError]]:
        results = screen_files(screener, files, workers=os.cpu_count() or 1)
        for number, each in enumerate(zip(names, results, strict=True), start=1):
            if number in (tenth, len(files)):
                resident.append(_resident())
            yield each

    started = time.perf_counter()
    with open(out, "w", newline="", encoding="utf-8") as text:
        failures = write_csv(text, watched(), THRESHOLD)
    seconds = time.perf_counter() - started
    return {
        "photos": len(files),
        "unreadable": failures,
        "photos_a_second": round(len(files) / seconds, 1),
        "megabytes_at_a_tenth": round(resident[0] / 1e6),
        "megabytes_at_the_end": round(resident[1] / 1e6),
        "end_over_tenth": round(resident[1] / resident[0], 3),
    }


def _resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _alone(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """In a fresh process, so that what ran before leaves nothing in its memory."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(work)


def _real_photos(folder: Path) -> Iterator[Path]:
    for source in ("isic2020", "ham10000", "isic2017"):
        if (folder / source).is_dir():
            yield from (path for _, path in find_photos([folder / source])[0])


def _mix(real: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """`count` photos, every tenth enlarged to 24 megapixels."""
    files = []
    for number in range(count):
        source = real[number * len(real) // count]
        if number % LARGE_SHARE == 0:
            file = folder / f"large-{number}.jpg"
            file.write_bytes(jpeg(source, SIZES["24 megapixels"]))
            files.append(file)
        else:
            open_photo(source)  # a photo that cannot be read would stop the naive way
            files.append(source)
    return files


if __name__ == "__main__":
    run(main)
