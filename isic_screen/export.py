"""Screenings as CSV: one row a photo, the columns that others rely on."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from isic_screen.errors import PhotoError, ScreenError
from isic_screen.screener import Screening

COLUMNS = ("file", "probability", "threshold", "flagged", "quality", "error")


def write_csv(
    out: TextIO, results: Iterable[tuple[str, Screening | PhotoError]], threshold: float, *, header: bool = True
) -> int:
    """Write a row for each (file, result) as it comes; returns how many photos could not be read.

    `probability` and `threshold` share one scale (0 to 1); `flagged` is 1 or 0. A photo that could not be read has
    its reason in `error` and no probability. Open `out` with newline="".
    """
    writer = csv.writer(out)
    if header:
        writer.writerow(COLUMNS)
    failures = 0
    for file, result in results:
        if isinstance(result, PhotoError):
            failures += 1
            writer.writerow([as_utf8(file), "", f"{threshold:.6g}", "", "", as_utf8(str(result))])
        else:
            flagged = int(result.flagged(threshold))
            quality = result.quality.summary
            writer.writerow([as_utf8(file), f"{result.probability:.6g}", f"{threshold:.6g}", flagged, quality, ""])
        out.flush()
    return failures


@dataclass(frozen=True)
class Resumed:
    """How many whole rows a killed run left, how many of them with an error, and the last that has a probability, as
    (row from 0, probability), for another model to be told by."""

    rows: int = 0
    failures: int = 0
    last: tuple[int, float] | None = None


def resume_csv(path: Path, names: Sequence[str], threshold: float) -> Resumed:
    """Cut a file that a killed run left back to its last whole row.

    The rows must be of the first of `names`, in order, at the same threshold, or a ScreenError says that this is
    another run's file. A file that is not there yet has 0 rows; one without a whole header is begun anew. Line ends may
    have become those of Unix in the meantime.
    """
    if not path.exists():
        return Resumed()
    another = ScreenError(
        f"{path} is of a run on other photos or at another threshold. Repeat that command, or give another --csv."
    )
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    whole = text[: text.rfind("\n") + 1]
    while True:  # a line end may also stand inside a name, in quotes that a cut has left open
        try:
            rows = list(csv.reader(io.StringIO(whole, newline=""), strict=True))
            break
        except csv.Error:
            whole = whole[: whole[:-1].rfind("\n") + 1]
    if not rows and not (",".join(COLUMNS) + "\r\n").startswith(text):
        raise another
    expected = [[as_utf8(name), f"{threshold:.6g}"] for name in names[: max(0, len(rows) - 1)]]
    found = [[row[0], row[2]] if len(row) == len(COLUMNS) else None for row in rows[1:]]
    if rows and (tuple(rows[0]) != COLUMNS or found != expected):
        raise another
    try:
        scored = [(number, float(row[1])) for number, row in enumerate(rows[1:]) if row[1]]
    except ValueError:  # "0,25", as a spreadsheet may write it
        raise another from None
    if whole != text:
        os.truncate(path, len(whole.encode("utf-8", "surrogateescape")))
    return Resumed(len(found), sum(bool(row[-1]) for row in rows[1:]), scored[-1] if scored else None)


def as_utf8(value: str) -> str:
    """Text as it can be written in UTF-8: file names may hold bytes that are not."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
