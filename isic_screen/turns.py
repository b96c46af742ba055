"""The flips and quarter turns of a photo, which all show the same lesion: a dermatoscope has no up or down."""

from torch import Tensor

VIEWS = 8
# What each does: 4 mirrors along the diagonal, then 1 from left to right, 2 from top to bottom. The first two are the
# half turn, the first four all quarter turns, and the other four the same of the mirror image.
_STEPS = (0, 3, 5, 6, 1, 2, 4, 7)
COUNTS = (1, 2, 3, 4, 8)
"""How many views an answer can be the mean of."""


def views_of(count: int) -> tuple[int, ...]:
    """The views whose mean is the answer of `count` (one of COUNTS): the first ones, but for three.

    Three are the photo and its quarter turns to either side.
    """
    return (0, 2, 3) if count == 3 else tuple(range(count))


def turned(images: Tensor, view: int) -> Tensor:
    """Square images (..., s, s) as the `view` (0 to 7) shows them; 0 is the image as it is."""
    if _STEPS[view] & 4:
        images = images.transpose(-1, -2)
    return images.flip(_axes(view))


def turned_back(maps: Tensor, view: int) -> Tensor:
    """Maps (..., h, h) of turned images, as they lie on the images before `turned`."""
    maps = maps.flip(_axes(view))
    return maps.transpose(-1, -2) if _STEPS[view] & 4 else maps


def view_of_member(number: int) -> int:
    """The view that the member `number` (from 0) of a committee is shown, each another one.

    The second is shown a quarter turn: two of them, asked about a photo and its half turn (the first two views), are
    shown all four turns between them.
    """
    return (0, 2, 4, 6, 1, 3, 5, 7)[number % VIEWS]


def _axes(view: int) -> list[int]:
    return [axis for bit, axis in ((1, -1), (2, -2)) if _STEPS[view] & bit]
