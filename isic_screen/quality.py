"""Is a photo fit to be screened? Size, sharpness, exposure, and whether it looks like dermoscopy at all.

Measured on a reduced copy in a few milliseconds. The limits were set on a sample of 3,000 real dermoscopy images and 40
ordinary pictures; ``python -m benchmarks.quality_rates`` measures how many photos each of them stops.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

from isic_screen.frames import Cut

Verdict = Literal["fit", "doubtful", "unfit"]

WORKING_SIDE = 200  # pixels of the shorter side of the reduced copy: about what the network sees
COLOUR_SIDE = 128
BLOCK = 8  # COLOUR_SIDE / BLOCK blocks a side are what counts as coarse structure

SMALLEST_SIDE = 100  # pixels; HAM10000 at 200 x 150 is still screened well
SMALL_SIDE = 140
BLANK_CONTRAST = 0.015
FLAT_DRAWING = 0.6
BLACK, LEAST_SEEN = 0.08, 0.25  # luma of bars and corners; share of a picture that a photo between them takes
GREY_COLOUR_SPREAD = 0.008
NOISY_COARSENESS = 0.25
BLURRED_SHARPNESS = 0.8
DARK_BRIGHTNESS = 0.22
BURNT_SHARE = 0.3
BUSY_EDGES, BUSY_COARSENESS = 0.06, 0.72
COLOURFUL_SPREAD = 0.2

_NOT_DERMOSCOPY = "does not look like dermoscopy"
UNLIKE_TRAINING = (
    "does not look like the photos the model was trained on (it knows close-ups of pigmented skin lesions through a "
    "dermoscope; check the photo, and take it again)"
)


@dataclass(frozen=True)
class Quality:
    """What was measured on a photo, and what follows from it.

    ``sharpness``: standard deviation of the Laplacian, in grey levels of 255, at ``WORKING_SIDE``. ``brightness``,
    ``contrast``: mean and standard deviation of luma, 0 to 1. ``burnt``: share of pixels that are white in every
    channel. ``colour_spread``: standard deviation of chroma, 0 to about 0.5. ``coarseness``: share of the variance of
    luma that is left after averaging blocks, near 1 for a lesion on skin and near 0 for noise or gravel. ``edges`` and
    ``flat``: shares of neighbouring pixels that differ strongly, and not at all, the latter beside black bars and
    corners. The reasons begin with what was cut off around the photo, which changes no verdict.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    side: int
    sharpness: float
    brightness: float
    contrast: float
    burnt: float
    colour_spread: float
    coarseness: float
    edges: float
    flat: float

    @property
    def summary(self) -> str:
        """ "fit", or a verdict with its reasons: "doubtful: blurred (...); too dark (...)"."""
        return f"{self.verdict}: {'; '.join(self.reasons)}" if self.reasons else self.verdict


def unlike_training(quality: Quality, *, refused: bool) -> Quality:
    """The same measurements, and the finding that the model knows little like it: doubtful, or unfit when `refused`."""
    reasons = tuple(reason for reason in quality.reasons if not reason.startswith(_NOT_DERMOSCOPY))
    verdict: Verdict = "unfit" if refused or quality.verdict == "unfit" else "doubtful"
    return replace(quality, verdict=verdict, reasons=(*reasons, UNLIKE_TRAINING))


def assess(photo: Image.Image) -> Quality:
    """The quality of an upright RGB photo, as ``open_photo`` gives it, of any size.

    "unfit": what is shown cannot be a dermoscopy photo, or holds too little to be judged. "doubtful": the score may be
    off, and the reasons say why and what to do.
    """
    width, height = photo.size
    scale = WORKING_SIDE / min(width, height)
    working = photo.resize(
        (_working_length(width * scale), _working_length(height * scale)), Image.Resampling.BILINEAR, reducing_gap=2.0
    )
    colours = np.asarray(working.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX), dtype=np.float32) / 255
    luma = colours @ np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as in Image.convert("L")
    blocks = luma.reshape(COLOUR_SIDE // BLOCK, BLOCK, COLOUR_SIDE // BLOCK, BLOCK).mean(axis=(1, 3))
    steps = np.abs(np.diff(luma, axis=1))
    measured = Quality(
        verdict="fit",
        reasons=(),
        side=min(width, height),
        sharpness=_sharpness(np.asarray(working.convert("L"), dtype=np.float32)),
        brightness=float(luma.mean()),
        contrast=float(luma.std()),
        burnt=float((colours.min(axis=2) > 0.97).mean()),
        colour_spread=float(np.hypot((colours[..., 0] - luma).std(), (colours[..., 2] - luma).std())),
        coarseness=float(blocks.var() / max(luma.var(), 1e-6)),
        edges=float((steps > 0.1).mean()),
        flat=_flat(luma, steps),
    )
    cut = tuple(_border(photo.info.get("cut")))
    if reasons := tuple(_unfit(measured)):
        return replace(measured, verdict="unfit", reasons=cut + reasons)
    if reasons := tuple(_doubtful(measured)):
        return replace(measured, verdict="doubtful", reasons=cut + reasons)
    return replace(measured, reasons=cut)


def _working_length(length: float) -> int:
    return min(4 * WORKING_SIDE, max(BLOCK, round(length)))  # a very long and thin picture is squashed


def _sharpness(grey: np.ndarray) -> float:
    """Standard deviation of the Laplacian, after a 3 x 3 average that takes out most sensor noise and JPEG grain."""
    rows = grey[:-2] + grey[1:-1] + grey[2:]
    smooth = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9
    centre = smooth[1:-1, 1:-1]
    laplacian = 4 * centre - smooth[:-2, 1:-1] - smooth[2:, 1:-1] - smooth[1:-1, :-2] - smooth[1:-1, 2:]
    return float(laplacian.std())


def _flat(luma: np.ndarray, steps: np.ndarray) -> float:
    """The share of steps that are none. Black bars have none either, and make no drawing of a photo between them."""
    seen = luma[:, 1:] > BLACK
    return float((steps[seen if seen.mean() >= LEAST_SEEN else ...] < 0.002).mean())


def _border(cut: Cut | None) -> Iterator[str]:
    if cut is not None:
        left, top, right, bottom = (f"{100 * share:.0f} %" for share in (cut.left, cut.top, cut.right, cut.bottom))
        yield f"a border was cut off (left {left}, top {top}, right {right}, bottom {bottom}; the rest was screened)"


def _unfit(q: Quality) -> Iterator[str]:
    if q.side < SMALLEST_SIDE:
        yield f"too small ({q.side} pixels on the shorter side; export it with {2 * SMALLEST_SIDE} or more)"
    elif q.contrast < BLANK_CONTRAST:
        yield "blank (nothing can be seen on it; take the photo again)"
    elif q.flat > FLAT_DRAWING:
        yield "a drawing, document or screenshot, or wholly over-exposed (choose a well-lit dermoscopy photo)"
    elif q.colour_spread < GREY_COLOUR_SPREAD:
        yield "without colours (the model needs a colour dermoscopy photo)"
    elif q.coarseness < NOISY_COARSENESS:
        yield "no lesion on skin (only fine texture or noise; choose a dermoscopy photo)"


def _doubtful(q: Quality) -> Iterator[str]:
    if q.side < SMALL_SIDE:
        yield f"small ({q.side} pixels on the shorter side; export it larger if you can)"
    if q.sharpness < BLURRED_SHARPNESS:
        yield "blurred (hold the dermoscope still, focus, and take it again)"
    if q.brightness < DARK_BRIGHTNESS:
        yield "too dark (switch the dermoscope's light on and take it again)"
    if q.burnt > BURNT_SHARE:
        yield "burnt out (lower the exposure and take it again)"
    if (q.edges > BUSY_EDGES and q.coarseness < BUSY_COARSENESS) or q.colour_spread > COLOURFUL_SPREAD:
        yield f"{_NOT_DERMOSCOPY} (the model knows close-ups through a dermoscope only)"
