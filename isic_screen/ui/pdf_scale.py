"""The probability's place on the page's log-odds scale, as a bar on a sheet."""

from isic_screen.operating_point import OperatingPoint
from isic_screen.ui.numbers import percent, round_percent
from isic_screen.ui.pdf_blocks import FINE, SMALL
from isic_screen.ui.pdf_sheet import INK, PAPER, QUIET, REFER, Colour, Sheet
from isic_screen.ui.scale import Scale
from isic_screen.ui.texts import Texts

_ABOVE = (236, 203, 181)  # the part of the scale at and above the threshold
_APART = 3.0  # mm between labels


def scale_bar(
    sheet: Sheet,
    x: float,
    y: float,
    width: float,
    probability: float,
    point: OperatingPoint,
    written: tuple[str, str],
    texts: Texts,
) -> None:
    """The scale, `width` mm from (x, y), with photo and threshold above it and the prevalence below.

    `written` are the probability and the threshold in words.
    """
    scale = Scale.at(point.prevalence)

    def at(share: float) -> float:
        return x + width * scale.position(share)

    bar, thick = y + 4.6, 3.0
    threshold, prevalence = at(point.threshold), at(point.prevalence)
    sheet.panel(x, bar, width, thick)
    with sheet.rect_clip(threshold, bar - 1, x + width - threshold + 1, thick + 2):
        sheet.panel(x, bar, width, thick, fill=_ABOVE)
    sheet.stroke(threshold, bar - 1.2, threshold, bar + thick, colour=REFER, thick=0.6)
    for tick in scale.ticks(clear_of=point.prevalence):
        sheet.stroke(at(tick), bar + thick, at(tick), bar + thick + 0.9, colour=QUIET, thick=0.2)
        sheet.put(at(tick) - 10, bar + thick + 1, round_percent(tick, texts), 20, FINE, colour=QUIET, align="centre")
    sheet.set_fill_color(*INK)
    sheet.set_draw_color(*PAPER)
    sheet.set_line_width(0.6)
    sheet.circle(at(probability), bar + thick / 2, 2.1, style="DF")
    names = [
        (threshold, texts.SCALE_THRESHOLD.format(threshold=written[1]), REFER),
        (at(probability), texts.PDF_THIS_PHOTO.format(probability=written[0]), INK),
    ]
    _labels(sheet, names, y, x, width)
    named = texts.SCALE_PREVALENCE.format(prevalence=percent(point.prevalence, texts))
    sheet.stroke(prevalence, bar + thick, prevalence, bar + thick + 4.4, colour=QUIET, thick=0.2)
    _labels(sheet, [(prevalence, named, QUIET)], bar + thick + 4.3, x, width)


def _labels(sheet: Sheet, names: list[tuple[float, str, Colour]], y: float, x: float, width: float) -> None:
    """One or two labels at their places on a scale from `x` on, moved apart where they would overlap."""
    placed = sorted(names)
    extents = [sheet.extent(text, SMALL, bold=True) + 0.5 for _, text, _ in placed]
    starts = [
        min(max(place - extent / 2, x), x + width - extent)
        for (place, _, _), extent in zip(placed, extents, strict=True)
    ]
    if len(placed) == 2 and (overlap := starts[0] + extents[0] + _APART - starts[1]) > 0:
        starts[0] = max(starts[0] - overlap / 2, x)
        starts[1] = min(starts[0] + extents[0] + _APART, x + width - extents[1])
        starts[0] = min(starts[0], starts[1] - extents[0] - _APART)
    for (_, text, colour), start, extent in zip(placed, starts, extents, strict=True):
        sheet.put(start, y, text, extent, SMALL, bold=True, colour=colour)
