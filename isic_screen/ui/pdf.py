"""One photo's report as one A4 page: what the page showed, and room for what the clinician adds."""

import datetime
from dataclasses import dataclass

import numpy as np
from PIL import Image

from isic_screen.artifact import Model
from isic_screen.explain import FloatMap, heat_layer, overlay
from isic_screen.operating_point import OperatingPoint
from isic_screen.screener import Screening
from isic_screen.ui.heat_words import heat_caption, heat_title
from isic_screen.ui.numbers import against, percent, weak_sentence
from isic_screen.ui.pdf_blocks import BODY, FINE, HEADING, SMALL, foot, head, meaning
from isic_screen.ui.pdf_scale import scale_bar
from isic_screen.ui.pdf_sheet import (
    BELOW_WASH,
    LEFT,
    PAPER,
    QUIET,
    REFER,
    REFER_WASH,
    WIDTH,
    Icon,
    Sheet,
    colours_at,
    height,
)
from isic_screen.ui.texts import Texts

_GAP = 3.0
_PICTURE_WIDTH, _PICTURE_HEIGHT, _LEAST_PICTURE_HEIGHT = (WIDTH - 6) / 2, 61.0, 30.0
_OVERLAY_SIDE = 900  # pixels
_NOTE = 46.0  # mm with heading and signature; for less, the pictures are made smaller
_HEAT_STRENGTH = 0.55  # as the page shows it at first
_PADDING = 4.5
_LEAST_NOTE, _LEAST_FIELD = 5.5, 5.0  # points; then all that a field takes stands on two lines
_SIGNATURE = 11.0  # mm
_RULED = 7.0  # mm between the lines to write on


@dataclass(frozen=True)
class Context:
    """What a clinician typed for one report. It is printed, and it does not change the score."""

    label: str = ""
    age: str = ""
    sex: str = ""
    site: str = ""
    note: str = ""


def case_pdf(
    photo: Image.Image,
    screening: Screening,
    heat_map: FloatMap,
    point: OperatingPoint,
    probability: float,
    model: Model,
    context: Context,
    texts: Texts,
    *,
    name: str,
    sha256: str,
    on: datetime.datetime,
    method: str,
    spread: tuple[float, float] | None = None,
) -> bytes:
    """The report on an RGB photo as a PDF file of one page.

    `name` and `sha256`, the `short_hash`, are its file's; `on` is the clinician's time.

    `probability`, `point.threshold` and `spread` (the lowest and highest probability among the photo's flips and turns,
    if measured) are stated at `point.prevalence`; `heat_map` (h, w), by `method` of explain.METHODS, is in 0..1. A
    photo that is not fit to be screened gets the reasons instead of probability and heat map.
    """
    fit = screening.quality.verdict != "unfit"

    def laid_out(picture_height: float) -> tuple[bytes, float]:
        """The file, and how many mm its note lacks."""
        with Sheet(texts.PDF_TITLE, texts.LANGUAGE, on) as sheet:
            sheet.colours = colours_at(point)
            sheet.add_page()
            y = head(sheet, texts.PDF_TITLE, texts, on)
            file = texts.PDF_FILE.format(name=name, sha256=sha256)
            y = sheet.put(LEFT, y, file, WIDTH, SMALL, least=FINE, bold=True) + 1
            y = _context(sheet, y, context, name, texts) + _GAP
            y = _pictures(sheet, y, picture_height, photo, heat_map if fit else None, method, texts) + _GAP
            if fit:
                y = _answer(sheet, y, screening, point, probability, spread, texts) + _GAP
                y = meaning(sheet, y, point, model, texts) + _GAP
            else:
                y = _no_answer(sheet, y, screening, texts) + _GAP
            end = foot(sheet, model, texts) - _GAP
            _note(sheet, y, end, context.note, texts)
            return sheet.made(), _NOTE - (end - y)

    made, lacking = laid_out(_PICTURE_HEIGHT)
    if lacking > 0:
        made, _ = laid_out(max(_PICTURE_HEIGHT - lacking, _LEAST_PICTURE_HEIGHT))
    return made


def _context(sheet: Sheet, y: float, context: Context, file_name: str, texts: Texts) -> float:
    """The fields side by side; an empty one leaves a line to write on."""
    fields = [
        (texts.CASE_LABEL, context.label, 0.4),
        (texts.AGE, context.age, 0.14),
        (texts.SEX, context.sex, 0.16),
        (texts.SITE, context.site, 0.3),
    ]
    x = LEFT
    for name, typed, share in fields:
        width = share * WIDTH - 3
        sheet.put(x, y, name, width, FINE, colour=QUIET)
        fitted = sheet.fitted(typed, width, 4.8, HEADING, least=_LEAST_FIELD, bold=True)
        sheet.lay(x, y + 2.6, fitted, width)
        sheet.rule(y + 7.4, x, width)
        x += share * WIDTH
    said = texts.PDF_CONTEXT
    if any(map(sheet.lacks, (file_name, *(typed for _, typed, _ in fields), context.note))):
        said = f"{said} {texts.PDF_LACKING}"
    return sheet.put(LEFT, y + 8, said, WIDTH, FINE, lines=2, least=5, colour=QUIET)


def _pictures(
    sheet: Sheet, y: float, tall: float, photo: Image.Image, heat_map: FloatMap | None, method: str, texts: Texts
) -> float:
    """The photo and, beside it, the photo with its heat map. Without a map to show the photo stands alone."""
    right = LEFT + WIDTH - _PICTURE_WIDTH
    under = y + tall + 0.8
    if heat_map is None:
        sheet.picture(photo, LEFT, y, WIDTH, tall, texts.PDF_PHOTO)
        return under
    sheet.picture(photo, LEFT, y, _PICTURE_WIDTH, tall, texts.PDF_PHOTO)
    sheet.put(LEFT, under, texts.PDF_PHOTO, _PICTURE_WIDTH, SMALL, bold=True)
    if not heat_map.any():
        sheet.panel(right, y, _PICTURE_WIDTH, tall)
        inside = _PICTURE_WIDTH - 2 * _PADDING
        sheet.put(right + _PADDING, y + _PADDING, texts.HEAT_TITLE, inside, HEADING, lines=2, bold=True)
        sheet.put(right + _PADDING, y + _PADDING + 6, texts.HEAT_EMPTY, inside, BODY, lines=6)
        return under + height(SMALL)
    shown = photo.copy()
    shown.thumbnail((_OVERLAY_SIDE, _OVERLAY_SIDE))
    laid_over = overlay(shown, heat_map, _HEAT_STRENGTH)
    sheet.picture(laid_over, right, y, _PICTURE_WIDTH, tall, texts.HEAT_ALT)
    sheet.put(right, under, heat_title(method, texts), _PICTURE_WIDTH - 32, SMALL, least=FINE, bold=True)
    _heat_key(sheet, LEFT + WIDTH, under, texts)
    return sheet.put(LEFT, under + height(SMALL) + 0.3, heat_caption(method, texts), WIDTH, FINE, lines=3, colour=QUIET)


def _heat_key(sheet: Sheet, right: float, y: float, texts: Texts) -> None:
    """The heat map's colours, from the weakest to the strongest, ending at `right`."""
    wide, tall = 16.0, 2.0
    strong, weak = sheet.extent(texts.PDF_STRONG, FINE), sheet.extent(texts.PDF_WEAK, FINE)
    ramp = heat_layer(np.linspace(0, 1, 64, dtype=np.float32)[None, :], (64, 4)).convert("RGB")
    at = right - strong
    sheet.put(at, y + 0.2, texts.PDF_STRONG, strong + 1, FINE, colour=QUIET)
    at -= wide + 1.2
    sheet.image(ramp, at, y + 0.7, wide, tall, alt_text=f"{texts.PDF_WEAK}, {texts.PDF_STRONG}")
    sheet.put(at - weak - 1.2, y + 0.2, texts.PDF_WEAK, weak + 1, FINE, colour=QUIET)


def _answer(
    sheet: Sheet,
    y: float,
    screening: Screening,
    point: OperatingPoint,
    probability: float,
    spread: tuple[float, float] | None,
    texts: Texts,
) -> float:
    """Verdict, probability, its place on the scale, and the quality of the photo, in one frame."""
    flagged = probability >= point.threshold
    kind: Icon = "refer" if flagged else "below"
    word, why = (texts.REFER, texts.REFER_WHY) if flagged else (texts.BELOW, texts.BELOW_WHY)
    remarks: list[tuple[Icon, str]] = [_quality(screening, texts)]
    turns = spread if spread is not None and spread[0] < point.threshold <= spread[1] else ()
    threshold, (written, *ends) = against(point.threshold, [probability, *turns], texts)
    if weak := weak_sentence(point, texts):
        remarks.insert(0, ("doubtful", weak))
    if ends:
        remarks.append(("doubtful", texts.BORDERLINE.format(low=ends[0], high=ends[1])))
    inside = WIDTH - 2 * _PADDING
    said = [(mark, sheet.fitted(text, inside - 5, height(SMALL, 3), SMALL)) for mark, text in remarks]
    tall = 36.8 + sum(found.tall + 0.6 for _, found in said)
    colour, wash = sheet.colours[kind], PAPER if point.weak else BELOW_WASH
    sheet.panel(LEFT, y, WIDTH, tall, fill=REFER_WASH if flagged else wash, edge=colour)

    x, half = LEFT + _PADDING, inside / 2
    sheet.icon(kind, x, y + 3, 9)
    sheet.put(x + 12, y + 2.2, word, half - 14, 17, least=10, bold=True, colour=colour)
    sheet.put(x + 12, y + 10.4, why.format(threshold=threshold), half - 15, SMALL, lines=2, least=FINE)
    sheet.put(x + half, y + 2.2, written, half, 17, bold=True)
    stated = texts.PROBABILITY.format(prevalence=percent(point.prevalence, texts))
    sheet.put(x + half, y + 10.4, stated, half, SMALL, lines=2, least=FINE)
    scale_bar(sheet, x, y + 18.5, inside, probability, point, (written, threshold), texts)
    y += 35.2
    for mark, found in said:
        sheet.icon(mark, x, y + 0.2, 2.8)
        y = sheet.lay(x + 4.5, y, found, inside - 5) + 0.6
    return y + 1.6


def _quality(screening: Screening, texts: Texts) -> tuple[Icon, str]:
    quality = screening.quality
    label = {"fit": texts.PHOTO_FIT, "doubtful": texts.PHOTO_DOUBTFUL, "unfit": texts.PHOTO_UNFIT}[quality.verdict]
    reasons = "; ".join(texts.reason(reason) for reason in quality.reasons)
    return quality.verdict, f"{label}: {reasons}." if reasons else f"{label}."


def _no_answer(sheet: Sheet, y: float, screening: Screening, texts: Texts) -> float:
    """Why there is no probability for a photo that is not fit to be screened."""
    mark, reasons = _quality(screening, texts)
    inside = WIDTH - 2 * _PADDING - 12
    said = [sheet.fitted(text, inside, height(BODY, 6), BODY) for text in (reasons, texts.UNFIT_ADVICE)]
    tall = 14 + sum(found.tall + 0.5 for found in said)
    sheet.panel(LEFT, y, WIDTH, tall, fill=REFER_WASH, edge=sheet.colours[mark])
    x = LEFT + _PADDING
    sheet.icon(mark, x, y + 3, 9)
    sheet.put(x + 12, y + 2.2, texts.PDF_NO_PROBABILITY, inside, 17, least=10, bold=True, colour=REFER)
    under = y + 11
    for found in said:
        under = sheet.lay(x + 12, under, found, inside) + 0.5
    return y + tall


def _note(sheet: Sheet, y: float, end: float, note: str, texts: Texts) -> None:
    """The clinician's note in a box, with lines to write on where it leaves room, and who signs it."""
    under = sheet.put(LEFT, y, texts.CLINICIANS_NOTE, WIDTH, HEADING, bold=True) + 0.6
    tall = end - _SIGNATURE - under
    sheet.panel(LEFT, under, WIDTH, tall)
    inside = WIDTH - 2 * _PADDING
    typed = sheet.fitted(note.strip(), inside, tall - 3, 9, least=_LEAST_NOTE)
    if typed.cut:
        sheet.put(LEFT, y + 0.7, texts.PDF_NOTE_CUT, WIDTH, SMALL, bold=True, colour=REFER, align="right")
    line = sheet.lay(LEFT + _PADDING, under + 1.5, typed, inside) + _RULED - 2
    while line < under + tall - 2:
        sheet.rule(line, LEFT + _PADDING, inside)
        line += _RULED
    x = LEFT
    for name, share in ((texts.PDF_SIGNED_BY, 0.4), (texts.PDF_SIGNED_ON, 0.2), (texts.PDF_SIGNATURE, 0.4)):
        sheet.rule(end - 2.8, x, share * WIDTH - 4, colour=QUIET)
        sheet.put(x, end - 2.6, name, share * WIDTH - 4, FINE, colour=QUIET)
        x += share * WIDTH
