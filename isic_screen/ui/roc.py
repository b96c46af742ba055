"""The ROC curve of the held-out images as SVG, with the chosen point on it."""

import numpy as np

from isic_screen.operating_point import OperatingPoint, Proportion, ThresholdTable
from isic_screen.ui.numbers import localised, percent
from isic_screen.ui.texts import Texts

SIZE, LEFT, TOP, BOTTOM, RIGHT = 420, 52, 16, 46, 16
"""The plot's layout, in its own units."""
_SIDE = SIZE - LEFT - RIGHT
_HEIGHT = TOP + _SIDE + BOTTOM


class RocPlot:
    """The curve is drawn once, the point with every move. It does not depend on how common melanoma is."""

    def __init__(self, table: ThresholdTable, texts: Texts) -> None:
        self._texts = texts
        false_alarms, found = curve(table)
        line = "M" + "L".join(f"{_x(x):.1f} {_y(y):.1f}" for x, y in zip(false_alarms, found, strict=True))
        ticks = "".join(_tick(share, localised(f"{100 * share:g}", texts)) for share in (0, 0.25, 0.5, 0.75, 1))
        area = localised(f"{auc(false_alarms, found):.3f}", texts)
        middle = LEFT + _SIDE / 2
        self._static = (
            f'{ticks}<path class="diagonal" d="M{_x(0):.1f} {_y(0):.1f}L{_x(1):.1f} {_y(1):.1f}"/>'
            f'<path class="roc" d="{line}"/>'
            f'<text class="value" x="{_x(0.97):.1f}" y="{_y(0.06):.1f}" text-anchor="end">'
            f"{texts.ROC_AREA.format(area=area)}</text>"
            f'<text class="axis" x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{texts.ROC_ACROSS}</text>'
            f'<text class="axis" text-anchor="middle" transform="translate(13 {TOP + _SIDE / 2}) rotate(-90)">'
            f"{texts.ROC_UP}</text>"
        )

    def svg(self, point: OperatingPoint) -> str:
        """The plot with `point` marked, and its two 95 % intervals as a cross."""
        texts, found, cleared = self._texts, point.sensitivity, point.specificity
        if found.value is None or cleared.value is None:
            label, marks = texts.UNKNOWN, ""
        else:
            x, y = _x(1 - cleared.value), _y(found.value)
            label = texts.ROC_LABEL.format(
                found=percent(found.value, texts), false_alarms=percent(1 - cleared.value, texts)
            )
            # The cross last: the dot would hide a short interval.
            marks = f'<circle class="roc" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>' + _cross(found, cleared, x, y)
        return (
            f'<div class="card plot roc"><h3>{texts.ROC_TITLE}</h3><svg viewBox="0 0 {SIZE} {_HEIGHT}" role="img" '
            f'aria-label="{label}">{self._static}{marks}</svg><p class="small">{texts.ROC_CAPTION}</p></div>'
        )


def curve(table: ThresholdTable) -> tuple[np.ndarray, np.ndarray]:
    """False-alarm rate and sensitivity (K,) from "refer nobody" to "refer everybody"; empty when a class is missing."""
    if not (table.positives and table.negatives):
        return np.zeros(0), np.zeros(0)
    false_alarms = np.r_[0, table.false_positives[::-1], table.negatives] / table.negatives
    found = np.r_[0, table.true_positives[::-1], table.positives] / table.positives
    return false_alarms, found


def auc(false_alarms: np.ndarray, found: np.ndarray) -> float:
    """Area under the empirical curve by trapezoids: the Mann-Whitney statistic, ties counted half; nan without one."""
    return float(np.trapezoid(found, false_alarms)) if len(found) else float("nan")


def _cross(found: Proportion, cleared: Proportion, x: float, y: float) -> str:
    ends = (found.low, found.high, cleared.low, cleared.high)
    low, high, least, most = (0.0 if end is None else end for end in ends)
    across = f"M{_x(1 - most):.1f} {y:.1f}H{_x(1 - least):.1f}"
    return f'<path class="interval" d="{across}M{x:.1f} {_y(low):.1f}V{_y(high):.1f}"/>'


def _tick(share: float, label: str) -> str:
    return (
        f'<path class="grid" d="M{_x(0):.1f} {_y(share):.1f}H{_x(1):.1f}M{_x(share):.1f} {_y(0):.1f}V{_y(1):.1f}"/>'
        f'<text class="axis" x="{LEFT - 8}" y="{_y(share) + 4:.1f}" text-anchor="end">{label}</text>'
        f'<text class="axis" x="{_x(share):.1f}" y="{_y(0) + 18:.1f}" text-anchor="middle">{label}</text>'
    )


def _x(false_alarms: float) -> float:
    return LEFT + _SIDE * false_alarms


def _y(found: float) -> float:
    return TOP + _SIDE * (1 - found)
