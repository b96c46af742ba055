"""Spoilt photos, ZIPs, model files, tables and recipes: only errors of ours may come out, soon and in bounded memory.

    python -m benchmarks.fuzz [--cases N] [--seed S] [--first N] [--seconds T] [--only KIND] [--out DIR]
                              [--case-seconds T] [--case-megabytes N]

Small valid files of each kind are made on the spot and spoilt (see fuzz_*.py and mutations.py). A
case is told by its kind, seed and number, and comes out the same again:
`--only photos --seed 0 --first 123 --cases 1`. Every case runs in a process of its kind, which is replaced when it
hangs, dies or has taken too much memory. What is not as it should be is printed once for each place in the code, its
input is kept in the folder given with --out, and the exit status is 1.
"""

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fuzz_targets import Files
from benchmarks.fuzz_worker import TARGETS, Outcome, Worker


@dataclass
class Tally:
    """The outcomes of one kind."""

    kind: str
    cases: int = 0
    read: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    findings: dict[str, list[Outcome]] = field(default_factory=dict)
    slowest: float = 0.0
    most_megabytes: float = 0.0

    def add(self, outcome: Outcome) -> bool:
        """Count an outcome; whether it is a finding of a kind that was not seen before."""
        self.cases += 1
        self.slowest = max(self.slowest, outcome.seconds)
        if outcome.finding:
            same = self.findings.setdefault(outcome.finding, [])
            same.append(outcome)
            return len(same) == 1
        if outcome.refused:
            self.refused[outcome.refused] += 1
        else:
            self.read += 1
        return False

    def summary(self) -> str:
        refused = ", ".join(f"{name} {times}" for name, times in self.refused.most_common())
        return (
            f"{self.kind}: {self.cases} cases, {self.read} read, {sum(self.refused.values())} refused ({refused}), "
            f"{sum(map(len, self.findings.values()))} findings of {len(self.findings)} kinds; slowest "
            f"{self.slowest:.1f} s, {self.most_megabytes:.0f} MB more than at the start at most"
        )


def fuzz(kind: str, given: argparse.Namespace, seconds: float) -> Tally:
    """Run the cases of one kind, print and keep what is found. The clock runs from when the process is ready."""
    tally, worker, deadline = Tally(kind), None, None
    try:
        for number in range(given.first, given.first + given.cases):
            worker = worker or Worker(kind, given.seed, number, given.case_megabytes)
            deadline = deadline or time.monotonic() + seconds
            if time.monotonic() > deadline:
                break
            files, outcome, megabytes = worker.next_case(number, given.case_seconds)
            tally.most_megabytes = max(tally.most_megabytes, megabytes)
            if megabytes > given.case_megabytes:
                over = f"took over {given.case_megabytes} MB"
                outcome = Outcome(number, outcome.seconds, finding=over, detail=f"{megabytes:.0f} MB; {outcome}")
            if tally.add(outcome):
                _show(kind, given, files, outcome)
            if outcome.finding.startswith(("took", "the process died")):
                worker.stop()
                worker = None
    finally:
        if worker:
            worker.stop()
    return tally


def _show(kind: str, given: argparse.Namespace, files: Files, outcome: Outcome) -> None:
    folder = given.out / f"{kind}-{given.seed}-{outcome.number}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    again = f"--only {kind} --seed {given.seed} --first {outcome.number} --cases 1"
    print(f"\n{kind}: {outcome.finding}\n  again: {again}\n  input: {folder}\n{outcome.detail}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, help="of each kind; default: 1000, or what --seconds allows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seconds", type=float, help="for all kinds together")
    parser.add_argument("--only", choices=TARGETS, help="one kind of file")
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"), help="where inputs of findings are kept")
    parser.add_argument("--case-seconds", type=float, default=30.0, help="limit for one case")
    parser.add_argument("--case-megabytes", type=int, default=1000, help="limit for one case")
    given = parser.parse_args(arguments)
    if given.cases is None:
        given.cases = 1000 if given.seconds is None else sys.maxsize - given.first
    kinds = [given.only] if given.only else list(TARGETS)
    tallies = []
    for kind in kinds:
        seconds = float("inf") if given.seconds is None else given.seconds / len(kinds)
        tallies.append(fuzz(kind, given, seconds))
    print()
    for tally in tallies:
        print(tally.summary())
    return 1 if any(tally.findings for tally in tallies) else 0


if __name__ == "__main__":
    raise SystemExit(main())
