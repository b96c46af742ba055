"""Screenings as CSV: one row a photo, the columns that others rely on."""

import csv
from collections.abc import Iterable
from typing import TextIO

from isic_screen.errors import PhotoError
from isic_screen.screener import Screening

COLUMNS = ("file", "probability", "threshold", "flagged", "quality", "error")


def write_csv(out: TextIO, results: Iterable[tuple[str, Screening | PhotoError]], threshold: float) -> int:
    """Write a row for each (file, result) as it comes; returns how many photos could not be read.

    `probability` and `threshold` share one scale (0 to 1); `flagged` is 1 or 0. A photo that could not be read has
    its reason in `error` and no probability. Open `out` with newline="".
    """
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    failures = 0
    for file, result in results:
        if isinstance(result, PhotoError):
            failures += 1
            writer.writerow([_text(file), "", f"{threshold:.6g}", "", "", _text(str(result))])
        else:
            flagged = int(result.flagged(threshold))
            quality = result.quality.summary
            writer.writerow([_text(file), f"{result.probability:.6g}", f"{threshold:.6g}", flagged, quality, ""])
        out.flush()
    return failures


def _text(value: str) -> str:
    """Text as it can be written in UTF-8: file names may hold bytes that are not."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
