"""How all figures look: one palette that colour-blind readers can tell apart, one kind of axes, one way to save."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from scipy.special import logit

from isic_screen.whole_file import whole_file
from isic_screen.wording import percent

# Okabe & Ito (2008), https://jfly.uni-koeln.de/color/
BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
INK, GREY, FAINT = "#222222", "#6B6B6B", "#DDDDDD"
MELANOMA, OTHER = VERMILLION, BLUE

TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 12, 9.5, 8.5
DPI = 200
_PROBABILITY_TICKS = (0.00001, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 0.999)
_LEAST_TICK_GAP = 0.09  # of the axis


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = 5.6, height: float = 4.6, heights: Sequence[float] | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure (inches) of its own, outside pyplot's global state, with its axes in reading order."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw={"height_ratios": heights} if heights else None)
    axes = list(grid.ravel())
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.spines[["left", "bottom"]].set_color(GREY)
        each.tick_params(colors=INK, labelsize=SMALL_SIZE, color=GREY)
        each.grid(color=FAINT, linewidth=0.6)
        each.set_axisbelow(True)
    return figure, axes


def set_title(axes: Axes, title: str, *lines: str, raised: bool = False) -> None:
    """A bold title with plain lines under it, above the left end of `axes`; `raised` leaves room for labels there."""
    plain = axes.annotate(
        "\n".join(lines),
        (0, 1),
        (0, 22 if raised else 8),
        xycoords="axes fraction",
        textcoords="offset points",
        va="bottom",
        fontsize=SMALL_SIZE,
        color=GREY,
        linespacing=1.35,
    )
    axes.annotate(
        title,
        (0, 1),
        (0, 5),
        xycoords=plain,
        textcoords="offset points",
        va="bottom",
        fontsize=TITLE_SIZE,
        fontweight="bold",
        color=INK,
    )


def label_axes(axes: Axes, x: str, y: str) -> None:
    """Name both axes in the size and colour of all figures."""
    axes.set_xlabel(x, fontsize=TEXT_SIZE, color=INK)
    axes.set_ylabel(y, fontsize=TEXT_SIZE, color=INK)


def probability_axis(axes: Axes, low: float, high: float) -> None:
    """Scale x by log-odds, so that probabilities around 1 % and around 50 % both have room; ticks in percent."""
    axes.set_xscale("logit", nonpositive="clip")
    axes.set_xlim(low, high)
    span = logit(high) - logit(low)
    ticks: list[float] = []
    for tick in _PROBABILITY_TICKS:
        if low <= tick <= high and (not ticks or logit(tick) - logit(ticks[-1]) >= _LEAST_TICK_GAP * span):
            ticks.append(tick)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([percent(tick) for tick in ticks]))
    axes.xaxis.set_minor_locator(NullLocator())


def save(figure: Figure, path: Path) -> None:
    """Write a PNG at 200 dpi; a reader never sees half of it."""
    with whole_file(path) as unfinished:
        figure.savefig(unfinished, format="png", dpi=DPI)
