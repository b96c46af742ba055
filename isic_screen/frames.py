"""Borders that are no part of a photo: of scanned slides, letterboxes and screenshots. They are found and cut off.

A border has one colour from the edge of the picture to a straight and sharp step along the whole side; text and rulers
may lie on it. Skin fades, however pale it is, and the field of view of a dermatoscope is round: neither has such a
step. A picture with black on all four sides is cut to what the black surrounds, whatever its shape.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

REVISION = 1  # raise it when other borders are cut: caches of decoded photos are named by it
SMALLEST_SIDE = 140  # pixels: a smaller picture is left as it is

_GRID = 128  # lines and columns of pixels that are looked at
_FINEST = 512  # pixels of the longer side that they are picked from: averaging takes noise out
_BORDERS = 5  # one in another: a screenshot has a status bar, a toolbar and a margin
_NARROWEST = 1.5  # lines
_GAP = 0.2  # of the side: a photo is at least as high as that, and text on a border lower
_LEAST_LEFT = 0.15  # of a side
_OFF_LINE = 1.6  # lines that a straight edge may waver
_ASKEW = 0.061  # 3.5 degrees
_WIDEST = 0.012  # of the picture's height: a step that is out of focus
_ALONG = 0.6  # of a side must show the step: a ruler, rounded corners and dark places in the photo do not
_BLACK, _BRIGHTER = 48, 24  # levels of 255

Box = tuple[int, int, int, int]
_Pixels = NDArray[np.int16]


@dataclass(frozen=True)
class Cut:
    """How much of a picture's width or height, 0 to 1, was cut off on each side of the photo in it."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class _Step:
    """Where a border ends: `depth` lines from its side in the `middle` column, `slope` more in each column after it.

    `columns` are those that show it, `colour` is the border's.
    """

    depth: float
    slope: float
    middle: float
    columns: NDArray[np.intp]
    colour: NDArray[np.float64]


def without_border(picture: Image.Image) -> Image.Image:
    """The photo in an RGB picture, its ``info["cut"]`` the Cut; the picture itself where it has no border."""
    width, height = picture.size
    left, top, right, bottom = box = find_photo(picture)
    if box == (0, 0, width, height):
        return picture
    photo = picture.crop(box)
    photo.info = {"cut": Cut(left / width, top / height, 1 - right / width, 1 - bottom / height)}
    return photo


def find_photo(picture: Image.Image) -> Box:
    """Where the photo lies in an RGB picture, in pixels: left, top, right, bottom. All of it where it has no border."""
    left, top, right, bottom = 0, 0, *picture.size
    for _ in range(_BORDERS):
        cuts = _cuts(picture, (left, top, right, bottom))
        if not any(cuts):
            break
        left, top, right, bottom = left + cuts[0], top + cuts[1], right - cuts[2], bottom - cuts[3]
    return left, top, right, bottom


def _cuts(picture: Image.Image, box: Box) -> list[int]:
    """How many pixels of a box are border on its left, top, right and bottom: the outermost border alone."""
    width, height = box[2] - box[0], box[3] - box[1]
    if min(width, height) < SMALLEST_SIDE:
        return [0, 0, 0, 0]
    pixels = _picked(picture, box)
    shapes = (height / width, width / height) * 2
    steps = _that_agree([_step(_facing(pixels, side), _ASKEW * shapes[side]) for side in range(4)])
    if any(steps):
        whole = np.moveaxis(np.asarray(picture)[box[1] : box[3], box[0] : box[2]], 2, 0)
        cuts = [0 if step is None else _refined(_facing(whole, side), step) for side, step in enumerate(steps)]
    else:
        lines = _black_lines(pixels)
        cuts = [line * length // _GRID for line, length in zip(lines, (width, height) * 2, strict=True)]
    left, top, right, bottom = cuts
    if width - left - right < _LEAST_LEFT * width or height - top - bottom < _LEAST_LEFT * height:
        return [0, 0, 0, 0]
    return cuts


def _picked(picture: Image.Image, box: Box) -> _Pixels:
    """Pixels (3, _GRID, _GRID) of a box. Picked and not averaged: so text stays dots on the border's colour."""
    smaller = picture.reduce(max(1, max(box[2] - box[0], box[3] - box[1]) // _FINEST), box)
    return np.moveaxis(np.asarray(smaller.resize((_GRID, _GRID), Image.Resampling.NEAREST), dtype=np.int16), 2, 0)


def _facing(pixels: NDArray[Any], side: int) -> NDArray[Any]:
    """Pixels (3, H, W) so that the left, top, right or bottom side is the first line."""
    turned = pixels if side % 2 else pixels.swapaxes(1, 2)
    return turned[:, ::-1] if side > 1 else turned


def _step(pixels: _Pixels, askew: float) -> _Step | None:
    """The straight step at which the border along the first line ends; `askew` is the steepest slope."""
    colour = np.median(pixels[:, :2], axis=(1, 2))
    unlike = np.abs(pixels - colour.astype(np.int16)[:, None, None]).max(axis=0)
    noise = float(np.percentile(unlike[:2], 70))
    like = unlike <= min(18, 2 * noise + 9)
    if like[:2].mean() < 0.5:
        return None
    like[:, 1:-1] |= like[:, :-2] | like[:, 2:]  # past the ticks of a ruler, and most of a text
    depths = _depths(like)
    columns = np.flatnonzero(depths < (1 - _LEAST_LEFT) * _GRID)  # the others lie in the borders of the sides beside it
    if len(columns) < _LEAST_LEFT * _GRID:
        return None
    depths, third, middle = depths[columns], -(-len(columns) // 3), float(columns.mean())
    rise = np.median(depths[-third:]) - np.median(depths[:third])
    found = float(rise / max(1, np.median(columns[-third:]) - np.median(columns[:third])))
    fits = []
    for slope in (0.0, found if abs(found) <= askew else 0.0):
        level = depths - slope * (columns - middle)
        depth = float(np.median(level))
        fits.append((np.abs(level - depth) <= _OFF_LINE, depth, slope))
    on_line, depth, slope = max(fits, key=lambda fit: int(fit[0].sum()))
    columns = columns[on_line]
    if depth < _NARROWEST or len(columns) < 8:
        return None
    ends = np.rint(depth + slope * (columns - middle)).astype(int)
    behind = pixels[:, np.clip(ends + np.array([[1], [2], [3], [4]]), 0, _GRID - 1), columns].mean(axis=1)
    steps = np.abs(behind - colour[:, None]).max(axis=0)
    columns = columns[steps >= np.clip(4 * noise + 10, 12, 28)]
    if not _even(pixels[:, : max(1, int(depth) - 1), columns], float(np.median(steps))):
        return None
    return _Step(depth, slope, middle, columns, colour)


def _depths(like: NDArray[np.bool_]) -> NDArray[np.intp]:
    """At which line each column (of (H, W), `like` the border's colour) leaves the border.

    Where most pixels before are like the border, and most behind it, up to a gap as high as a photo, are not.
    """
    score = np.cumsum(np.where(like, 1, -1), axis=0)
    behind_gap = np.logical_or.accumulate(np.maximum.accumulate(score, axis=0) - score >= _GAP * len(like), axis=0)
    score[behind_gap] = -len(like)
    return np.where(score.max(axis=0) > 0, score.argmax(axis=0) + 1, 0)


def _even(border: _Pixels, step: float) -> bool:
    """Whether a border (3, h, w) has one colour along its side, as skin before a ruler has not."""
    _, height, width = border.shape
    if width < 8:
        return False
    parts = border[:, :, : width // 8 * 8].reshape(3, height, 8, -1)
    colours = np.sort(np.median(parts, axis=(1, 3)), axis=1)[:, 2:-2]  # the others may hold a clock, or a ruler
    return bool(np.ptp(colours, axis=1).max() <= min(10, 0.1 * step))


def _that_agree(steps: list[_Step | None]) -> list[_Step | None]:
    """The steps that run along the whole side of the photo that all of them leave.

    Smooth skin before a bar on the other side ends at the bar in just such a step: the nearer of two is a border's.
    """
    steps = list(steps)
    for one, other in ((0, 2), (1, 3)):
        ends = [step.depth if step else 0.0 for step in (steps[one], steps[other])]
        if sum(ends) > (1 - _LEAST_LEFT) * _GRID:
            steps[one if ends[0] > ends[1] else other] = None
    while any(steps):
        ends = [0.0 if step is None else step.depth for step in steps]
        along = [1.0] * 4
        for side, step in enumerate(steps):
            first, last = ends[(side + 1) % 2], _GRID - ends[(side + 1) % 2 + 2]
            if step is not None:
                shown = ((step.columns >= first) & (step.columns < last)).sum()
                along[side] = float(shown / max(1.0, last - first))
        least = along.index(min(along))
        if along[least] >= _ALONG:
            break
        steps = [None if side == least else step for side, step in enumerate(steps)]
    return steps


def _refined(whole: NDArray[np.uint8], step: _Step) -> int:
    """The first line, of all (3, H, W), whose pixels at the step are nearer to the photo than to the border.

    0 where the step is too wide: lesions may have a straight edge as well, but not a sharp one.
    """
    height, width = whole.shape[1:]
    chosen = step.columns[:: max(1, len(step.columns) // 64)]
    reach = max(3, -(-4 * height // _GRID))
    lines = np.rint((step.depth + step.slope * (chosen - step.middle)) * height / _GRID).astype(int)
    lines = np.clip(lines + np.arange(-reach, reach + 1)[:, None], 0, height - 1)
    columns = ((chosen + 0.5) * width / _GRID).astype(int)
    unlike = np.abs(whole[:, lines, columns].astype(np.int16) - step.colour[:, None, None]).max(axis=0)
    profile = np.median(unlike, axis=1)
    before, behind = profile[: reach // 2].min(), np.median(profile[-(reach // 2) :])
    first, halfway, last = (int(np.argmax(profile >= before + part * (behind - before))) for part in (0.2, 0.5, 0.8))
    if last - first > max(3, _WIDEST * height):
        return 0
    return max(0, round(step.depth * height / _GRID) - reach + halfway)


def _black_lines(pixels: _Pixels) -> list[int]:
    """How many lines on the left, top, right and bottom are black, where all four sides have some; else none."""
    outside = np.concatenate([_facing(pixels, side)[:, 0] for side in range(4)], axis=1)
    colour = np.median(outside, axis=1)
    unlike = np.abs(pixels - colour.astype(np.int16)[:, None, None]).max(axis=0)
    lines = [int(np.argmax((_facing(unlike[None], side)[0] > _BRIGHTER).mean(axis=1) > 0.08)) for side in range(4)]
    if colour.max() > _BLACK or min(lines) < 0.02 * _GRID:
        return [0, 0, 0, 0]
    left, top, right, bottom = lines
    inside = unlike[top : _GRID - bottom, left : _GRID - right]
    return lines if (inside > 2 * _BRIGHTER).sum() >= 0.2 * max(1, inside.size) else [0, 0, 0, 0]
