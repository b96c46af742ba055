"""Every figure of speed, as ratios, each measured in one run against what one would otherwise do.

    python -m benchmarks [--quick] [--only NAME …]

Runs the benchmarks of speed one after the other, each in a process of its own, prints one table, and leaves their JSON
and the plot where `train/write_docs.py` reads them: run that afterwards. --quick takes few repeats, leaves out the
training runs of feature_cache, and writes to a temporary folder, so that no document changes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import RESULTS, ROOT
from benchmarks.speed_rows import SPEED, speed_rows

QUICK: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("answer", "latency", "stages", "sizes", "decode", "heat_map", "training_step"), ("--repeats", "3")
    ),
    "engines": ("--quick",),
    "batch": ("--quick",),
    "startup": ("--repeats", "1"),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=SPEED, metavar="NAME", default=SPEED, help=", ".join(SPEED))
    given = parser.parse_args()
    if not given.quick:
        return _all(given.only, RESULTS, {})
    with tempfile.TemporaryDirectory() as folder:
        return _all([name for name in given.only if name in QUICK], Path(folder), QUICK)


def _all(names: Sequence[str], folder: Path, options: dict[str, tuple[str, ...]]) -> int:
    """Run the benchmarks and print the table; exit status 1 when one failed."""
    failed = []
    for name in names:
        print(f"\n== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *options.get(name, ())]
        environment = {**os.environ, **({"ISIC_SCREEN_BENCHMARKS": str(folder)} if folder != RESULTS else {})}
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
            failed.append(name)
    measured = [name for name in names if name not in failed]
    results = {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in measured}
    print()
    for what, ratio, measured_by in speed_rows(results):
        print(f"{ratio:>26}  {what}  ({measured_by.strip('`')})")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
