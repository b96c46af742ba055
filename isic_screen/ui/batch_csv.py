"""A batch as CSV: the command line's columns, at the visitor's prevalence, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime

from isic_screen.artifact import Model
from isic_screen.errors import PhotoError
from isic_screen.export import COLUMNS, as_utf8
from isic_screen.hashing import SHORT
from isic_screen.operating_point import OperatingPoint, restate
from isic_screen.ui.batch import Row
from isic_screen.ui.numbers import localised
from isic_screen.ui.texts import Texts

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def batch_csv(
    rows: Iterable[Row], point: OperatingPoint, prevalence: float, texts: Texts, *, model: Model, on: datetime
) -> str:
    """The rows as a CSV file's text, in the order in which they were given.

    `point` is on the model's own scale; `probability` and `threshold` are restated at `prevalence`. Behind the command
    line's columns stand this prevalence, the clinician's time `on`, the `short_hash` of each photo's file and `model`.
    A photo that is not fit to be screened keeps the model's score, as on the command line, but `flagged` is empty: the
    page gives no answer to it. Where numbers have a decimal comma, spreadsheets look for semicolons between the cells.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";" if texts.DECIMAL_MARK == "," else ",")
    writer.writerow((*COLUMNS, "prevalence", "made_at", "photo_file", "model"))
    threshold = _number(point.restated(prevalence).threshold, texts)
    named = f"{model.facts.name} {model.facts.version}, {_sha256(model.sha256[:SHORT])}"
    for row in rows:
        probability, flagged, quality, error = _found(row, point, prevalence, texts)
        stated = _number(prevalence, texts)
        told = (_safe(row.name), probability, threshold, flagged, quality, _safe(error), stated)
        writer.writerow((*told, on.isoformat(timespec="seconds"), _sha256(row.sha256), named))
    return out.getvalue()


def _found(row: Row, point: OperatingPoint, prevalence: float, texts: Texts) -> tuple[str, str, str, str]:
    """Probability, flag, quality and error of a row."""
    if isinstance(row.result, PhotoError):
        return "", "", "", str(row.result)
    probability = restate(row.result.probability, point.prevalence, prevalence)
    flagged = {"refer": "1", "below": "0", "unscreened": ""}[row.answer(point.threshold)]
    return _number(probability, texts), flagged, row.result.quality.summary, ""


def _sha256(digits: str) -> str:
    """The first digits of a SHA-256; without the word a spreadsheet takes some for numbers, such as 12345e678901."""
    return f"SHA-256 {digits}" if digits else ""


def _number(value: float, texts: Texts) -> str:
    return localised(f"{value:.6g}", texts)


def _safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula: whoever makes a ZIP chooses the names in it.

    An apostrophe before it, as https://owasp.org/www-community/attacks/CSV_Injection has it.
    """
    text = as_utf8(text)
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text
