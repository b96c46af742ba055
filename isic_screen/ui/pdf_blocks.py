"""What every PDF report has: its head, what the threshold means, and the model at the foot."""

import re
from datetime import datetime

from isic_screen.artifact import Model
from isic_screen.operating_point import OperatingPoint, Per1000
from isic_screen.ui.clock import written
from isic_screen.ui.consequences import other_cameras
from isic_screen.ui.numbers import People, interval, people, percent
from isic_screen.ui.pdf_sheet import BOTTOM, INK, LEFT, QUIET, TOP, WIDTH, Sheet, height
from isic_screen.ui.texts import Texts

HEADING, BODY, SMALL, FINE = 9.5, 8.0, 7.0, 6.0
"""Sizes of text in points."""
_ROW = 4.7  # mm, of a table


def head(sheet: Sheet, title: str, texts: Texts, on: datetime) -> float:
    """Title, date and what this is not; returns where it ends."""
    sheet.put(LEFT, TOP, title, WIDTH - 60, 15, least=9, bold=True)
    sheet.put(LEFT, TOP + 0.6, texts.TITLE, WIDTH, SMALL, bold=True, align="right")
    sheet.put(LEFT, TOP + 4, written(on), WIDTH, SMALL, align="right")
    y = TOP + height(15) + 1
    sheet.rule(y, colour=INK, thick=0.5)
    return sheet.put(LEFT, y + 1.2, without_markup(texts.NOTICE), WIDTH, SMALL, lines=2, least=FINE, colour=QUIET) + 1.5


def meaning(sheet: Sheet, y: float, point: OperatingPoint, model: Model, texts: Texts) -> float:
    """The threshold in a sentence and two small tables; returns where they end."""
    title = texts.PDF_MEANING.format(threshold=percent(point.threshold, texts))
    y = sheet.put(LEFT, y, title, WIDTH, HEADING, bold=True) + 0.4
    counts = point.per_1000
    if counts is None:
        return sheet.put(LEFT, y, texts.UNKNOWN, WIDTH, BODY)
    written = People.of(counts, texts)
    sentence = texts.PDF_CONSEQUENCE.format(
        melanomas=written.melanomas,
        found=written.found,
        missed=written.missed,
        recalled=written.recalled,
        cleared=written.cleared,
    )
    y = sheet.put(LEFT, y, sentence, WIDTH, BODY, lines=2, least=SMALL) + 1.2
    across = WIDTH * 0.6
    _rates(sheet, LEFT, y, across, point, texts)
    _people_table(sheet, LEFT + across + 7, y, WIDTH - across - 7, counts, texts)
    y += 4 * _ROW + 1.2
    return sheet.put(LEFT, y, _evidence(point, model, texts), WIDTH, FINE, lines=6, colour=QUIET)


def _rates(sheet: Sheet, x: float, y: float, width: float, point: OperatingPoint, texts: Texts) -> None:
    at_prevalence = texts.AT_PREVALENCE.format(prevalence=percent(point.prevalence, texts))
    rows = [
        (texts.TILE_SENSITIVITY, point.sensitivity.value, interval(point.sensitivity, texts)),
        (texts.TILE_SPECIFICITY, point.specificity.value, interval(point.specificity, texts)),
        (texts.TILE_PPV, point.ppv, at_prevalence),
        (texts.TILE_NPV, point.npv, at_prevalence),
    ]
    label, value = width * 0.4, width * 0.14
    for label_text, share, remark in rows:
        sheet.rule(y, x, width)
        shown = texts.UNKNOWN if share is None else percent(share, texts)
        sheet.put(x, y + 0.8, label_text, label, SMALL, least=5)
        sheet.put(x + label, y + 0.5, shown, value, BODY, least=5, bold=True, align="right")
        sheet.put(x + label + value + 3, y + 0.8, remark, width - label - value - 3, SMALL, least=5, colour=QUIET)
        y += _ROW
    sheet.rule(y, x, width)


def _people_table(sheet: Sheet, x: float, y: float, width: float, counts: Per1000, texts: Texts) -> None:
    written = People.of(counts, texts)
    flagged, others = (people(count, texts) for count in (counts.flagged, counts.missed + counts.cleared_healthy))
    rows = [
        (texts.PDF_MELANOMA, written.found, written.missed, written.melanomas),
        (texts.PDF_HEALTHY, written.recalled, written.cleared, written.healthy),
        (texts.PDF_ALL, flagged, others, people(1000, texts)),
    ]
    first, columns = width * 0.29, (width * 0.24, width * 0.31, width * 0.16)
    sheet.rule(y, x, width)
    sheet.put(x, y + 0.8, texts.PDF_PER_1000, first, FINE, least=4.5, bold=True)
    at = x + first
    for column, name in zip(columns, (texts.PDF_REFERRED, texts.PDF_NOT_REFERRED, texts.PDF_ALL), strict=True):
        sheet.put(at + 1.5, y + 0.8, name, column - 1.5, FINE, least=4.5, colour=QUIET, align="right")
        at += column
    for name, *cells in rows:
        y += _ROW
        sheet.rule(y, x, width)
        sheet.put(x, y + 0.8, name, first, SMALL, least=4.5)
        at = x + first
        for column, count in zip(columns, cells, strict=True):
            sheet.put(at, y + 0.8, count, column, SMALL, bold=column is not columns[-1], align="right")
            at += column
    sheet.rule(y + _ROW, x, width)


def _evidence(point: OperatingPoint, model: Model, texts: Texts) -> str:
    table = model.facts.threshold_table
    evidence = texts.EVIDENCE.format(
        positives=table.positives,
        negatives=table.negatives,
        basis=texts.stated(model.facts.metrics.get("basis") or texts.NOT_STATED),
        prevalence=percent(point.prevalence, texts),
    )
    if others := other_cameras(point, texts):
        evidence = f"{without_markup(others)} {evidence}"
    if point.prevalence == table.prevalence:
        return evidence
    return f"{evidence} {texts.RESTATED.format(prevalence=percent(table.prevalence, texts))}"


def foot(sheet: Sheet, model: Model, texts: Texts) -> float:
    """Intended use, limits, model and its hash, upwards from the end of the sheet; returns where they begin."""
    facts = model.facts
    named = texts.PDF_MODEL.format(name=facts.name, version=facts.version, sha256=model.sha256)
    parts = [
        (f"{texts.INTENDED_USE}: {texts.stated(facts.intended_use)}", 3),
        (f"{texts.LIMITS}: {' '.join(map(texts.stated, facts.limits))}", 9),
        (named, 2),
    ]
    top = BOTTOM
    for text, lines in reversed(parts):
        found = sheet.fitted(text, WIDTH, height(FINE, lines), FINE)
        top -= found.tall + 0.7
        sheet.lay(LEFT, top, found, WIDTH, colour=QUIET)
    sheet.rule(top - 0.8)
    return top - 0.8


def without_markup(sentence: str) -> str:
    """A sentence of the page without its HTML tags."""
    return re.sub(r"</?\w+>", "", sentence)
