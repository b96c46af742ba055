"""Many photos as a list to print: one row a photo, the likeliest melanoma first."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from isic_screen.artifact import Model
from isic_screen.operating_point import OperatingPoint
from isic_screen.ui.clock import written
from isic_screen.ui.numbers import against, percent, weak_sentence
from isic_screen.ui.pdf_blocks import BODY, FINE, HEADING, SMALL, foot, head, meaning
from isic_screen.ui.pdf_sheet import BOTTOM, INK, LEFT, QUIET, REFER, TOP, WIDTH, Icon, Sheet, colours_at, height
from isic_screen.ui.texts import Texts

_ROW, _ROW_WITH_PICTURE = 8.4, 13.0  # mm
_HEADER = 5.0
_GAP = 3.0
_PICTURE = 17.0  # mm wide
_PAGE_NUMBER = BOTTOM + 1.0


@dataclass(frozen=True)
class BatchRow:
    """One photo of a batch.

    `probability` (at the prevalence of the operating point) and `flagged` are None for a photo without an answer;
    `remark` is what was found about its quality, or the sentence that says why it could not be read. `sha256` is the
    `short_hash` of its file.
    """

    name: str
    probability: float | None
    flagged: bool | None
    remark: str = ""
    thumbnail: Image.Image | None = None
    sha256: str = ""


def batch_pdf(
    rows: Sequence[BatchRow], point: OperatingPoint, model: Model, texts: Texts, *, on: datetime.datetime
) -> bytes:
    """The list as a PDF file of as many A4 pages as it takes; probabilities descend, photos without one come last."""
    ordered = sorted(rows, key=lambda row: (row.probability is None, -(row.probability or 0.0), row.name))
    with Sheet(texts.PDF_BATCH_TITLE, texts.LANGUAGE, on) as sheet:
        sheet.colours = colours_at(point)
        sheet.add_page()
        listed = [row.probability for row in ordered if row.probability is not None]
        threshold, written = against(point.threshold, listed, texts)
        probabilities = [*written, *[""] * (len(ordered) - len(written))]  # those without one come last
        y = _summary(sheet, ordered, threshold, point, model, texts, on)
        first_end = foot(sheet, model, texts) - _GAP
        pictures = any(row.thumbnail is not None for row in ordered)
        tall = _ROW_WITH_PICTURE if pictures else _ROW
        on_first, on_others = _capacity(y, first_end, tall), _capacity(TOP, BOTTOM, tall)
        rows_written = list(zip(ordered, probabilities, strict=True))
        pages = [rows_written[:on_first]]
        pages += [rows_written[start : start + on_others] for start in range(on_first, len(ordered), on_others)]
        for number, page in enumerate(pages, 1):
            if number > 1:
                sheet.add_page()
                y = TOP
            if page:
                y = _header(sheet, y, pictures, texts)
            for row, probability in page:
                _row(sheet, y, tall, row, probability, pictures, texts)
                y += tall
            lacking = any(sheet.lacks(row.name) for row, _ in page)
            _number(sheet, number, len(pages), lacking, texts, on)
        return sheet.made()


def _number(sheet: Sheet, number: int, pages: int, lacking: bool, texts: Texts, on: datetime.datetime) -> None:
    named = f"{texts.PDF_BATCH_TITLE}, {written(on)}"
    if lacking:
        named = f"{named}. {texts.PDF_LACKING}"
    sheet.put(LEFT, _PAGE_NUMBER, named, WIDTH * 0.85, FINE, colour=QUIET)
    paged = texts.PDF_PAGE.format(page=number, pages=pages)
    sheet.put(LEFT, _PAGE_NUMBER, paged, WIDTH, FINE, colour=QUIET, align="right")


def _capacity(start: float, end: float, tall: float) -> int:
    return int((end - start - _HEADER) / tall)


def _summary(
    sheet: Sheet,
    rows: Sequence[BatchRow],
    threshold: str,
    point: OperatingPoint,
    model: Model,
    texts: Texts,
    on: datetime.datetime,
) -> float:
    """The head of the first page: counts, rule, and what the threshold means."""
    y = head(sheet, texts.PDF_BATCH_TITLE, texts, on)
    flags = [row.flagged for row in rows]
    counts = texts.PDF_COUNTS.format(
        photos=len(rows), referred=flags.count(True), below=flags.count(False), unscreened=flags.count(None)
    )
    y = sheet.put(LEFT, y, counts if rows else texts.PDF_NO_PHOTOS, WIDTH, 11, lines=2, least=8, bold=True)
    rule = texts.PDF_RULE.format(threshold=threshold, prevalence=percent(point.prevalence, texts))
    y = sheet.put(LEFT, y, rule, WIDTH, BODY, lines=2)
    if weak := weak_sentence(point, texts):
        y = sheet.put(LEFT, y, weak, WIDTH, BODY, lines=3, bold=True, colour=REFER)
    y += _GAP
    return meaning(sheet, y, point, model, texts) + _GAP


def _columns(pictures: bool) -> tuple[float, float, float, float, float]:
    """Left edges of name, probability, answer and remark, and the right edge of all, in mm."""
    name = LEFT + (_PICTURE + 3 if pictures else 0)
    return name, LEFT + 64, LEFT + 88, LEFT + 122, LEFT + WIDTH


def _header(sheet: Sheet, y: float, pictures: bool, texts: Texts) -> float:
    names = (
        texts.PDF_COLUMN_PHOTO,
        texts.PDF_COLUMN_PROBABILITY,
        texts.PDF_COLUMN_ANSWER,
        texts.PDF_COLUMN_REMARK,
    )
    edges = _columns(pictures)
    for number, name in enumerate(names):
        width = edges[number + 1] - edges[number] - 3
        sheet.put(edges[number], y + 0.8, name, width, FINE, least=4.5, bold=True, colour=QUIET)
    sheet.rule(y + _HEADER - 0.3, colour=INK, thick=0.4)
    return y + _HEADER


def _row(sheet: Sheet, y: float, tall: float, row: BatchRow, written: str, pictures: bool, texts: Texts) -> None:
    name, probability, answer, remark, end = _columns(pictures)
    if row.thumbnail is not None:
        sheet.picture(row.thumbnail, LEFT, y + 0.7, _PICTURE, tall - 1.4, texts.PDF_PHOTO)
    words: dict[bool | None, tuple[Icon, str]] = {
        True: ("refer", texts.REFER),
        False: ("below", texts.BELOW),
        None: ("unfit", texts.PDF_NOT_SCREENED),
    }
    icon, word = words[row.flagged]
    lines = int((tall - 1.6) / height(SMALL))
    under = sheet.put(name, y + 1, row.name, probability - name - 3, SMALL, lines=lines - 1, least=FINE)
    if row.sha256:
        sheet.put(name, under, f"SHA-256 {row.sha256}…", probability - name - 3, FINE, least=4.5, colour=QUIET)
    sheet.put(probability, y + 0.7, written, 21, HEADING, least=FINE, bold=True)
    sheet.icon(icon, answer, y + 1.2, 3)
    sheet.put(answer + 4.2, y + 1, word, remark - answer - 6, SMALL, lines=lines, bold=True, colour=sheet.colours[icon])
    sheet.put(remark, y + 1, row.remark, end - remark, FINE, lines=int((tall - 1.6) / height(FINE)), least=5)
    sheet.rule(y + tall - 0.2)
