"""The visitor's threshold and prevalence: the components that other tabs share, and what typed numbers become.

Numbers out of range are brought back into it here. Gradio's own `minimum` and `maximum` raise before any callback runs:
the visitor would see an error on every part of the page, and the page would stand still.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import gradio as gr

from isic_screen.operating_point import DEFAULT_SENSITIVITY, SENSITIVITY_TARGETS
from isic_screen.ui.texts import Texts

LEAST_PREVALENCE, MOST_PREVALENCE = 0.01, 90.0  # percent
WITHIN_SLIDER = "(desk, card, caught, ...rest) => [desk, card, Math.min(Math.max(caught, 0), 100), ...rest]"
"""What is typed into the slider's number, as the slider itself will show it when the field is left: empty is 0."""
_STEP = 0.5


@dataclass(frozen=True)
class Threshold:
    """The visitor's choice, for other tabs to follow."""

    value: gr.Number
    """On the model file's scale, 0 to 1."""
    prevalence: gr.Number
    """The clinic's, in percent; see `share_of`."""
    moves: list[Any]
    """The events that change either: what follows hangs on them by `then`."""


def sensitivity_slider(texts: Texts, elem_id: str, *, render: bool = True) -> gr.Slider:
    """The slider by which a threshold is chosen: melanomas to catch, in percent.

    It begins at 0, for it also shows what a typed threshold catches. Its reset button is left out: it would move the
    slider alone.
    """
    return gr.Slider(
        0,
        100,
        100 * DEFAULT_SENSITIVITY,
        step=_STEP,
        label=texts.SENSITIVITY,
        info=texts.SENSITIVITY_INFO,
        elem_id=elem_id,
        render=render,
        buttons=[],
    )


def share_of(percentage: float | None, default: float) -> float:
    """A typed prevalence as a share; an empty or impossible one is the model file's."""
    if percentage is None or percentage <= 0:
        return default
    share = min(max(percentage, LEAST_PREVALENCE), MOST_PREVALENCE) / 100
    return default if abs(share - default) < 1e-9 else share


def in_percent(share: float) -> float:
    """A share (0 to 1) as the number of percent that a field shows."""
    return round(100 * share, 6)  # 100 * 0.018 is 1.7999999999999998


def as_shown(threshold: float) -> float:
    """A threshold in percent, as exact as a person wants to read it.

    Rounded down, never up: thresholds are the scores of melanomas, and whoever types the number that is shown must not
    lose the one that it catches.
    """
    percentage = Decimal(100 * threshold)
    if not percentage:
        return 0.0
    return float(percentage.quantize(Decimal(1).scaleb(percentage.adjusted() - 2), ROUND_FLOOR))


def slider_step(percentage: float) -> float:
    """The slider's step that at least this percentage reaches."""
    return _STEP * (percentage // _STEP)


def preset_at(percentage: float) -> float | None:
    """The preset that the slider stands on, if it does."""
    return next((100 * target for target in SENSITIVITY_TARGETS if abs(100 * target - percentage) < 0.01), None)
