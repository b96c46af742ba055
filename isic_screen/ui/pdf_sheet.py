"""An A4 sheet to set text, shapes and pictures on, in millimetres from its upper left corner.

Text that is typed or read from a file can hold anything: what the font lacks is set as `drawable` has it, and what is
too long for its place is set smaller and then cut with an ellipsis, so that a layout never grows beyond its page.
"""

import io
import unicodedata
from collections import ChainMap
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Literal, Self

from fpdf import FPDF
from fpdf.enums import MethodReturnValue
from fpdf.fonts import TTFFont
from fpdf.prefs import ViewerPreferences
from matplotlib import get_data_path
from PIL import Image

from isic_screen.operating_point import OperatingPoint
from isic_screen.ui.pdf_fonts import BOX, drawable, plain, script_font

Colour = tuple[int, int, int]
Icon = Literal["refer", "below", "fit", "doubtful", "unfit"]

# Those of the page (assets/style.css).
INK, QUIET, RULE, PAPER = (27, 39, 51), (82, 96, 109), (205, 214, 222), (255, 255, 255)
REFER, REFER_WASH = (168, 69, 10), (253, 241, 233)
BELOW, BELOW_WASH = (11, 106, 79), (238, 247, 243)
COLOURS: dict[Icon, Colour] = {"refer": REFER, "below": BELOW, "fit": BELOW, "doubtful": REFER, "unfit": REFER}

LEFT, WIDTH, TOP, BOTTOM = 18.0, 174.0, 13.0, 286.0
"""The type area; text ends at BOTTOM."""
DOTS = 280 / 25.4
"""Pixels of a picture for each mm it takes."""

_FAMILY = "DejaVu"
_FONTS = Path(get_data_path()) / "fonts" / "ttf"
_POINT = 25.4 / 72  # mm
_LEADING = 1.3
_ASCENT = 0.76  # of the font's size, to the top of a capital
_CELL_ASCENT = 0.8  # of the font's size: where the library has the baseline of a cell as high as that
_SHRINKS_BY = 0.5  # points
_NARROWEST = 0.25  # of the font's size: nearly every character that can be seen is wider
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def colours_at(point: OperatingPoint) -> dict[Icon, Colour]:
    """The colours of the icons; nothing is green where too few melanomas are caught."""
    return {**COLOURS, "below": QUIET, "fit": QUIET} if point.weak else COLOURS


def height(size: float, lines: int = 1) -> float:
    """Millimetres that lines of text of a size in points take."""
    return lines * size * _POINT * _LEADING


@dataclass(frozen=True)
class Fitted:
    """Text broken into lines, the size in points at which it fits, and whether its end had to be cut."""

    lines: tuple[str, ...]
    size: float
    bold: bool
    cut: bool

    @property
    def tall(self) -> float:
        """Millimetres that the lines take."""
        return height(self.size, len(self.lines))


class Sheet(FPDF):
    """A PDF under way, without pages at first, to be used in a `with` statement.

    Its metadata say what it is and on which day it was made, not about whom nor at what hour.
    """

    def __init__(self, title: str, language: str, on: date) -> None:
        super().__init__(unit="mm", format="A4")
        self.set_auto_page_break(False)
        self.colours = COLOURS
        self.c_margin = 0.0
        self.str_alias_nb_pages = None  # type: ignore[assignment]  # "{nb}" in a note is no page number
        self.set_title(title)
        self.set_lang(language)
        self.set_producer("isic-screen")
        self.set_creation_date(datetime(on.year, on.month, on.day, tzinfo=UTC))
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self._borrowed: dict[str, TTFFont] = {}
        self.add_font(_FAMILY, "", _FONTS / "DejaVuSans.ttf")
        self.add_font(_FAMILY, "B", _FONTS / "DejaVuSans-Bold.ttf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the font files, which the library leaves to the garbage collector."""
        for font in self.fonts.values():
            if isinstance(font, TTFFont):
                font.ttfont.close()

    def put(
        self,
        x: float,
        y: float,
        text: str,
        width: float,
        size: float,
        *,
        lines: int = 1,
        least: float | None = None,
        bold: bool = False,
        colour: Colour = INK,
        align: Literal["left", "centre", "right"] = "left",
    ) -> float:
        """Set text from `y` down in at most the room of `lines` lines; returns where it ends.

        `size` is in points. What does not fit is set smaller, down to `least` points, and then cut with an ellipsis.
        """
        found = self.fitted(text, width, height(size, lines), size, least=least, bold=bold)
        return self.lay(x, y, found, width, colour=colour, align=align)

    def lay(
        self,
        x: float,
        y: float,
        found: Fitted,
        width: float,
        *,
        colour: Colour = INK,
        align: Literal["left", "centre", "right"] = "left",
    ) -> float:
        """Set lines that are already fitted; returns where they end."""
        self.set_font(_FAMILY, "B" if found.bold else "", found.size)
        self.set_text_color(*colour)
        to_baseline = ((_LEADING - 1) / 2 + _ASCENT) * found.size * _POINT
        for number, line in enumerate(found.lines):
            foreign = self._is_foreign(line)
            self.set_text_shaping(foreign)  # joins letters, and sets them from right to left
            spare = width - self.get_string_width(line)
            indent = {"left": 0.0, "centre": spare / 2, "right": spare}[align]
            baseline = y + height(found.size, number) + to_baseline
            if foreign:
                self.set_xy(x + indent, baseline - _CELL_ASCENT * self.font_size)
                self.cell(text=line, h=self.font_size)
                self.current_font_is_set_on_page = False  # the library forgets that another one may be
            else:
                self.text(x + indent, baseline, line)
        self.set_text_shaping(False)
        return y + found.tall

    def fitted(
        self, text: str, width: float, room: float, size: float, *, least: float | None = None, bold: bool = False
    ) -> Fitted:
        """How text fills at most `width` and `room` mm, set in `size` points or less, but not below `least`."""
        self.set_font(_FAMILY, "B" if bold else "", size)
        smallest = size if least is None else least
        # Measuring text that cannot fit would take long.
        most = int(width / (_NARROWEST * smallest * _POINT)) * max(1, int(room / height(smallest)))
        endless = len(text) > most
        text = self._printable(text[:most] + _ELLIPSIS if endless else text)
        while True:
            self.set_font_size(size)
            lines = self._broken(text, width)
            most = max(1, int(room / height(size) + 1e-6))
            if len(lines) <= most:
                return Fitted(tuple(lines), size, bold, endless)
            if least is None or size - _SHRINKS_BY < least:
                break
            size -= _SHRINKS_BY
        last = lines[most - 1]
        while last and self.get_string_width(last + _ELLIPSIS) > width:
            last = last[:-1]
        return Fitted((*lines[: most - 1], last.rstrip() + _ELLIPSIS), size, bold, True)

    def lacks(self, text: str) -> bool:
        """Whether a character of a text is in no font here, and would be a box."""
        self.set_font(_FAMILY)
        return BOX in self._printable(text.replace(BOX, ""))

    def extent(self, text: str, size: float, *, bold: bool = False) -> float:
        """How wide one line of text is, in mm."""
        self.set_font(_FAMILY, "B" if bold else "", size)
        return self.get_string_width(self._printable(text))

    def rule(
        self, y: float, x: float = LEFT, width: float = WIDTH, *, colour: Colour = RULE, thick: float = 0.2
    ) -> None:
        """A horizontal line."""
        self.stroke(x, y, x + width, y, colour=colour, thick=thick)

    def stroke(self, x1: float, y1: float, x2: float, y2: float, *, colour: Colour, thick: float) -> None:
        """A straight line with round ends."""
        self.set_draw_color(*colour)
        self.set_line_width(thick)
        self.line(x1, y1, x2, y2)

    def panel(
        self, x: float, y: float, width: float, tall: float, *, fill: Colour = PAPER, edge: Colour | None = RULE
    ) -> None:
        """A filled rectangle with slightly rounded corners; `edge` None leaves its outline away."""
        self.set_fill_color(*fill)
        self.set_line_width(0.25)
        if edge is not None:
            self.set_draw_color(*edge)
        self.rect(x, y, width, tall, "F" if edge is None else "DF", round_corners=True, corner_radius=1.2)

    def icon(self, kind: Icon, x: float, y: float, side: float) -> None:
        """A shape in a square of `side` mm: a filled triangle refers, a hollow circle does not, a cross stops."""
        colour = self.colours[kind]

        def at(across: float, down: float) -> tuple[float, float]:
            return x + across * side, y + down * side

        def mark(*points: tuple[float, float], thick: float = 0.11, ink: Colour = colour) -> None:
            for start, end in pairwise(points):
                self.stroke(*at(*start), *at(*end), colour=ink, thick=thick * side)

        self.set_fill_color(*colour)
        if kind == "refer":
            self.polygon([at(0.5, 0.06), at(0.98, 0.92), at(0.02, 0.92)], style="F")
            mark((0.5, 0.4), (0.5, 0.64), thick=0.09, ink=PAPER)
            self.set_fill_color(*PAPER)
            self.circle(*at(0.5, 0.78), 0.055 * side, style="F")
        elif kind == "below":
            self.set_draw_color(*colour)
            self.set_line_width(0.1 * side)
            self.circle(*at(0.5, 0.5), 0.4 * side, style="D")
            mark((0.32, 0.5), (0.68, 0.5), thick=0.1)
        elif kind == "fit":
            mark((0.14, 0.55), (0.38, 0.78), (0.86, 0.24))
        elif kind == "doubtful":
            mark((0.5, 0.14), (0.5, 0.58), thick=0.14)
            self.circle(*at(0.5, 0.82), 0.085 * side, style="F")
        else:
            mark((0.18, 0.18), (0.82, 0.82))
            mark((0.82, 0.18), (0.18, 0.82))

    def picture(self, photo: Image.Image, x: float, y: float, width: float, tall: float, alternative: str) -> None:
        """A photo within a frame, whole and centred; `alternative` is what a screen reader says."""
        scale = min(width / photo.width, tall / photo.height)
        across, down = photo.width * scale, photo.height * scale
        self.image(
            _clean_jpeg(photo, round(max(across, down) * DOTS)),
            x + (width - across) / 2,
            y + (tall - down) / 2,
            across,
            down,
            alt_text=alternative,
        )

    def made(self) -> bytes:
        """The finished file."""
        return bytes(self.output())

    def _broken(self, text: str, width: float) -> list[str]:
        lines = self.multi_cell(width, text=text, dry_run=True, output=MethodReturnValue.LINES)
        assert isinstance(lines, list)
        return lines

    def _printable(self, text: str) -> str:
        """Text without control characters and with what the current font can draw; line ends stay."""
        font = self.current_font
        assert isinstance(font, TTFFont)
        signs = [shown for sign in unicodedata.normalize("NFC", text.replace("\r\n", "\n")) if (shown := plain(sign))]
        self._borrow({sign for sign in signs if ord(sign) not in font.cmap})
        known = ChainMap(font.cmap, *(borrowed.cmap for borrowed in self._borrowed.values()))
        return "".join(sign if sign == "\n" else drawable(sign, known) for sign in signs)

    def _borrow(self, signs: Iterable[str]) -> None:
        """Have the fonts at hand in which these are."""
        wanted = {found for sign in signs if (found := script_font(sign)) and found.family not in self._borrowed}
        for found in sorted(wanted, key=lambda found: found.family):
            self.add_font(found.family, "", found.file, collection_font_number=found.face)
            font = self.fonts[found.family.lower()]
            assert isinstance(font, TTFFont)
            self._borrowed[found.family] = font
        if wanted:
            self.set_fallback_fonts(list(self._borrowed), exact_match=False)  # there is no bold one

    def _is_foreign(self, line: str) -> bool:
        """Whether setting one sign after the other, in the sheet's own font, would not do."""
        font = self.current_font
        assert isinstance(font, TTFFont)
        return any(ord(sign) not in font.cmap or unicodedata.bidirectional(sign) in ("R", "AL") for sign in line)


def _clean_jpeg(photo: Image.Image, side: int) -> io.BytesIO:
    """The pixels alone, at most `side` along the longer side: Pillow would write a photo's comment into the copy."""
    copy = photo.convert("RGB")
    copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    copy.info = {}
    buffer = io.BytesIO()
    copy.save(buffer, "JPEG", quality=88)
    buffer.seek(0)
    return buffer
