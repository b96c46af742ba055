"""What the figures say in words and numbers: sample, intervals, and the operating points they mark."""

from collections.abc import Iterator, Mapping
from typing import Any

from matplotlib.axes import Axes
from scipy.special import logit

from isic_screen.evaluation.figure_style import GREEN, SMALL_SIZE
from isic_screen.wording import counted, percent

Block = Mapping[str, Any]
"""One source's part of `metrics.json`."""

_LONGEST_NAME = 30
_LABEL_WIDTH = 0.075  # of the axes, enough for "95 %"


def titled(title: str, name: str) -> str:
    """The figure's title with the source's name, which is a folder's and can be long."""
    return f"{title}: {name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + '…'}"


def sample(block: Block) -> str:
    """What a figure was counted on: images, patients or lesions, melanomas."""
    # Of one image each: no room for more words above a square figure.
    n, groups = block["n"], block["groups"]
    images = images_by_group(n, groups) if groups < n else f"{counted(n, 'image')}, each its own group"
    return f"{images}, {counted(block['positives'], 'melanoma')}"


def images_by_group(images: int, groups: int) -> str:
    """How many images, and of how many patients or lesions, where any two are known to be of one."""
    if groups == images:  # a source that names neither, for example
        return f"{counted(images, 'image')}, no two known to be of one patient or lesion"
    return f"{counted(images, 'image')} of {counted(groups, 'patient or lesion', 'patients or lesions')}"


def interval(estimate: Mapping[str, Any], digits: int) -> str:
    """An estimate that has a value, to so many decimals, with its 95 % interval if there is one."""
    if estimate["low"] is None:
        return f"{estimate['value']:.{digits}f}"
    return f"{estimate['value']:.{digits}f} ({estimate['low']:.{digits}f} to {estimate['high']:.{digits}f})"


def marked_points(block: Block) -> list[tuple[float, Block]]:
    """The operating points to mark, with the sensitivity aimed at: as shipped where there are, else the sample's."""
    points = block["operating_points"].values()
    for origin in ("model file", "this sample"):
        marked = [
            (point["target_sensitivity"], point)
            for point in points
            if point["chosen_on"] == origin and point["target_sensitivity"] and point["threshold"] is not None
        ]
        if marked:
            return marked
    return []


def roc_key(block: Block) -> Iterator[str]:
    """The lines in the empty corner under the ROC curve."""
    yield f"AUC {interval(block['metrics']['roc_auc'], 3)}"
    for target, point in marked_points(block):
        origin = "as shipped" if point["chosen_on"] == "model file" else "on this sample"
        sensitivity, specificity = point["sensitivity"]["value"], point["specificity"]["value"]
        yield f"{percent(target)} {origin}: sens. {sensitivity:.2f}, spec. {specificity:.2f}"


def mark_thresholds(axes: Axes, block: Block) -> None:
    """Vertical lines at the operating points of a log-odds axis; their labels, above the frame, are kept apart."""
    low, high = axes.get_xlim()
    points = sorted((point["threshold"], target) for target, point in marked_points(block))
    inside = [(threshold, target) for threshold, target in points if low < threshold < high]
    place = -_LABEL_WIDTH
    style: dict[str, Any] = {"transform": axes.transAxes, "va": "bottom", "color": GREEN, "fontsize": SMALL_SIZE}
    for threshold, target in inside:
        axes.axvline(threshold, color=GREEN, linewidth=1.2, linestyle=(0, (4, 2)), zorder=1)
        place = max((logit(threshold) - logit(low)) / (logit(high) - logit(low)), place + _LABEL_WIDTH)
        axes.text(place, 1.015, percent(target), ha="center", **style)
    if inside:
        axes.text(place + 0.6 * _LABEL_WIDTH, 1.015, "sensitivity aimed at", **style)
