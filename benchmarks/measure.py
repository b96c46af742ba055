"""What the benchmarks share: timing two ways in turn, and a place for what they measured."""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def alternate(first: Callable[[], object], second: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median seconds of two ways, their turns alternating after a warm-up, so that a busy machine slows both alike."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(-3, repeats):
        for way, taken in zip((first, second), times, strict=True):
            started = time.perf_counter()
            way()
            if turn >= 0:
                taken.append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])


def write_result(name: str, result: dict[str, Any]) -> None:
    """Print a benchmark's figures and write them to benchmarks/results/NAME.json."""
    text = json.dumps(result, indent=1)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
