"""What the benchmarks share: timing two ways in turn, and a place for what they measured."""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from isic_screen.errors import ScreenError

ROOT = Path(__file__).resolve().parents[1]
# Elsewhere for a trial that should not replace what the documents quote.
RESULTS = Path(os.environ.get("ISIC_SCREEN_BENCHMARKS", ROOT / "benchmarks" / "results"))
FIGURES = RESULTS if "ISIC_SCREEN_BENCHMARKS" in os.environ else ROOT / "assets" / "benchmarks"


def run(main: Callable[[], None]) -> None:
    """A benchmark from its command line: photos that are not there end it with a sentence and status 2, not a trace."""
    try:
        main()
    except ScreenError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def alternate(
    first: Callable[[], object],
    second: Callable[[], object],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float]:
    """Median seconds of two ways; see `in_turns`."""
    taken = in_turns({"first": first, "second": second}, repeats, clock=clock)
    return taken["first"], taken["second"]


def in_turns(
    ways: Mapping[str, Callable[[], object]],
    repeats: int,
    warm_up: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of each way, their turns alternating after a warm-up, so that a busy machine slows all alike.

    For work of one thread, `time.process_time` as the clock leaves out the time in which other processes ran.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(-warm_up, repeats):
        for name, way in ways.items():
            started = clock()
            way()
            if turn >= 0:
                times[name].append(clock() - started)
    return {name: statistics.median(taken) for name, taken in times.items()}


def write_result(name: str, result: dict[str, Any]) -> None:
    """Print a benchmark's figures and write them to benchmarks/results/NAME.json. ValueError where one is a nan."""
    text = json.dumps(result, indent=1, allow_nan=False)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
