"""The decision curve as a figure: what the model is worth beside referring everyone or no one."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from isic_screen.evaluation.bands import Band
from isic_screen.evaluation.decision_curve import net_benefit
from isic_screen.evaluation.figure_labels import Block, mark_thresholds, sample, titled
from isic_screen.evaluation.figure_style import (
    BLUE,
    GREY,
    INK,
    TEXT_SIZE,
    VERMILLION,
    label_axes,
    new_figure,
    probability_axis,
    set_title,
)
from isic_screen.wording import percent


def decision_figure(band: Band, block: Block, *, name: str, prevalence: float) -> Figure:
    """Net benefit per 1,000 people over the threshold probability, `band` being that of the model."""
    figure, (axes,) = new_figure(width=6.4, height=5.0)
    words = (
        f"At {percent(prevalence)} prevalence; a threshold is worth using where the model is above both other lines."
    )
    set_title(axes, titled("Decision curve", name), sample(block), words, raised=True)
    probability_axis(axes, float(band.x[0]), float(band.x[-1]))
    everyone = 1000 * net_benefit(1, 0, band.x, prevalence)
    axes.fill_between(band.x, 1000 * band.low, 1000 * band.high, color=BLUE, alpha=0.18, linewidth=0)
    for label, benefit, colour, width in (
        ("Refer no one", np.zeros_like(band.x), GREY, 1.4),
        ("Refer everyone", everyone, VERMILLION, 1.6),
        ("Model", 1000 * band.y, BLUE, 2.0),
    ):
        axes.plot(band.x, benefit, color=colour, linewidth=width, label=label)
    mark_thresholds(axes, block)
    # Referring everyone costs far more than it is worth at high thresholds; how much more is of no interest.
    axes.set_ylim(-250 * prevalence, 1100 * prevalence)
    axes.legend(loc="upper right", fontsize=TEXT_SIZE, labelcolor=INK, framealpha=0.85, edgecolor="none")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda t, _: f"{percent(t)}\n{(1 - t) / t:.0f}"))
    label_axes(
        axes,
        "Threshold probability, and the false alarms that one melanoma found is worth there",
        "Net benefit: melanomas found per 1,000 people,\nless what the false alarms cost",
    )
    return figure
