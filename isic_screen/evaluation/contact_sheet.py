"""The photos a model did worst on, side by side: a look at them says more about why than any figure."""

from pathlib import Path
from typing import Literal, get_args

import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from isic_screen.errors import DataError, PhotoError
from isic_screen.evaluation.figure_style import INK
from isic_screen.photo import open_photo
from isic_screen.whole_file import whole_file
from isic_screen.wording import counted, percent

Kind = Literal["misses", "false alarms"]

MOST = 20
SIDE = 160  # pixels of a thumbnail's longer side
COLUMNS = 5
_GAP, _LINE, _TITLE = 12, 15, 34  # pixels
_TEXT_SIZE, _TITLE_SIZE = 11, 15
_NEEDED = ("image_id", "target", "probability", "path")


def worst(predictions: pd.DataFrame, *, threshold: float, kind: Kind) -> pd.DataFrame:
    """The images that `threshold` gets wrong, the worst first.

    "misses" are melanomas below it, from the lowest probability up; "false alarms" others at or above it, from the
    highest down. Raises ValueError for another `kind`, and DataError when a column of image_id, target, probability and
    path is missing.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, got {kind!r}")
    missing = [column for column in _NEEDED if column not in predictions]
    if missing:
        raise DataError(f"The predictions have no column {', '.join(missing)}, so no contact sheet can be drawn.")
    flagged, is_melanoma = predictions["probability"] >= threshold, predictions["target"] == 1
    misses = kind == "misses"
    wrong = predictions[is_melanoma & ~flagged if misses else ~is_melanoma & flagged]
    return wrong.sort_values(["probability", "image_id"], ascending=[misses, True], kind="stable")


def save_worst(predictions: pd.DataFrame, out_file: Path, *, threshold: float, kind: Kind) -> list[str]:
    """Draw the first MOST photos of `worst` into the PNG `out_file`; returns a sentence for each that cannot be read.

    Unreadable photos are skipped, and the next ones take their places. Each photo has its image id and its probability
    below it. Without any photo the sheet holds its title alone. Raises as `worst` does.
    """
    rows = worst(predictions, threshold=threshold, kind=kind)
    cells: list[tuple[Image.Image, str, str]] = []
    skipped: list[str] = []
    for image_id, probability, path in zip(rows["image_id"], rows["probability"], rows["path"], strict=True):
        if len(cells) == MOST:
            break
        try:
            photo = open_photo(path)
        except PhotoError as error:
            skipped.append(str(error))
            continue
        photo.thumbnail((SIDE, SIDE))
        cells.append((photo, str(image_id), percent(probability)))
    what, side = ("melanoma", "below") if kind == "misses" else ("other", "at or above")
    title = f"Worst {kind}: {len(cells):,} of {counted(len(rows), what)} {side} the threshold of {percent(threshold)}"
    _save(_sheet(title, cells), out_file)
    return skipped


def _sheet(title: str, cells: list[tuple[Image.Image, str, str]]) -> Image.Image:
    """A grid of COLUMNS, row by row, on white; always as wide as a full row, so that the title fits."""
    width, height = SIDE + _GAP, SIDE + 2 * _LINE + _GAP
    grid_rows = -(-len(cells) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * width + _GAP, _TITLE + grid_rows * height + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, _GAP), title, fill=INK, font=ImageFont.load_default(_TITLE_SIZE))
    font = ImageFont.load_default(_TEXT_SIZE)
    for number, (photo, *caption) in enumerate(cells):
        left, top = _GAP + number % COLUMNS * width, _TITLE + _GAP + number // COLUMNS * height
        sheet.paste(photo, (left + (SIDE - photo.width) // 2, top + (SIDE - photo.height) // 2))
        for line, text in enumerate(caption):
            draw.text((left, top + SIDE + line * _LINE), _shortened(text, font), fill=INK, font=font)
    return sheet


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As much of a text as fits under a thumbnail."""
    if font.getlength(text) <= SIDE:
        return text
    while text and font.getlength(text + "...") > SIDE:
        text = text[:-1]
    return text + "..."


def _save(sheet: Image.Image, out_file: Path) -> None:
    out_file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(out_file) as unfinished:
        sheet.save(unfinished, format="PNG")
