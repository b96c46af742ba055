"""What a threshold means, as HTML: 1,000 people in dots, the rates with their intervals, and the plot."""

from collections.abc import Callable, Iterator
from html import escape
from math import log

from isic_screen.operating_point import OperatingPoint, Per1000, ThresholdTable
from isic_screen.ui.numbers import People, interval, localised, percent
from isic_screen.ui.numbers import people as number_of_people
from isic_screen.ui.texts import Texts

_DOTS_ACROSS, _DOTS_DOWN = 50, 20

WIDTH, PANEL, LEFT, RIGHT, TOP, GAP, BOTTOM = 640, 150, 52, 18, 26, 44, 48
"""The plot's layout, in its own units."""
_RIGHT_EDGE = WIDTH - RIGHT
_LOWER = TOP + PANEL + GAP
_HEIGHT = _LOWER + PANEL + BOTTOM
_SAMPLES = 160
_LEAST_TICK_GAP = 46
_LEAST_DRAWN = 1e-6
"""The lowest threshold that the plot, whose scale is logarithmic, begins at."""
LEAST_FOUND = 0.05
"""Precision is drawn while this share of the melanomas is found; beyond, it rests on a handful of images."""


def consequences(point: OperatingPoint, table: ThresholdTable, basis: str, texts: Texts) -> str:
    """The operating point in words, dots and tiles, at its own prevalence."""
    counts = point.per_1000
    if counts is None:
        return f'<div class="card"><p>{texts.UNKNOWN}</p></div>'
    people = People.of(counts, texts)
    sentence = texts.CONSEQUENCE.format(
        melanomas=people.melanomas,
        found=people.found,
        missed=people.missed,
        recalled=people.recalled,
        cleared=people.cleared,
    )
    prevalence = texts.AT_PREVALENCE.format(prevalence=percent(point.prevalence, texts))
    needed = point.number_needed_to_refer
    tiles = [
        _tile(texts.TILE_SENSITIVITY, _share(point.sensitivity.value, texts), interval(point.sensitivity, texts)),
        _tile(texts.TILE_SPECIFICITY, _share(point.specificity.value, texts), interval(point.specificity, texts)),
        _tile(texts.TILE_PPV, _share(point.ppv, texts), prevalence),
        _tile(texts.TILE_NPV, _share(point.npv, texts), prevalence),
        _tile(texts.TILE_NNR, texts.UNKNOWN if needed is None else number_of_people(needed, texts), prevalence),
    ]
    evidence = texts.EVIDENCE.format(
        positives=table.positives,
        negatives=table.negatives,
        basis=escape(basis),
        prevalence=percent(point.prevalence, texts),
    )
    others = other_cameras(point, texts)
    elsewhere = f'<p class="elsewhere">{others}</p>' if others else ""
    stated = percent(table.prevalence, texts)
    restated = "" if point.prevalence == table.prevalence else " " + texts.RESTATED.format(prevalence=stated)
    weak = " weak" if point.weak else ""
    return (
        f'<div class="card consequences{weak}"><p class="sentence">{sentence}</p>{_dots(counts, people, texts)}'
        f'<div class="tiles">{"".join(tiles)}</div>{elsewhere}<p class="small">{evidence}{restated}</p></div>'
    )


def other_cameras(point: OperatingPoint, texts: Texts) -> str:
    """Sentences on what is left without the camera that nearly gives the class away, bold words in HTML; "" if not
    known."""
    others = point.other_cameras
    if others is None or (counts := others.per_1000) is None:
        return ""
    people = People.of(counts, texts)
    return texts.OTHER_CAMERAS.format(
        positives=others.sensitivity.total,
        negatives=others.specificity.total,
        sensitivity=_share(others.sensitivity.value, texts),
        specificity=_share(others.specificity.value, texts),
        found=people.found,
        missed=people.missed,
        recalled=people.recalled,
    )


def _share(value: float | None, texts: Texts) -> str:
    return texts.UNKNOWN if value is None else percent(value, texts)


def _tile(label: str, value: str, note: str) -> str:
    return (
        f'<div class="tile"><span class="label">{label}</span><span class="value">{value}</span>'
        f'<span class="note">{note}</span></div>'
    )


def _dots(counts: Per1000, people: People, texts: Texts) -> str:
    """1,000 people, one dot each, those with melanoma first; rounded so that they still are 1,000."""
    parts = [
        ("found", texts.FOUND, counts.found, people.found),
        ("missed", texts.MISSED, counts.missed, people.missed),
        ("recalled", texts.RECALLED, counts.recalled_healthy, people.recalled),
        ("cleared", texts.CLEARED, counts.cleared_healthy, people.cleared),
    ]
    ends, total = [], 0.0
    for _, _, count, _ in parts:
        total += count
        ends.append(round(total))
    paths, start = [], 0
    for (kind, *_), end in zip(parts, ends, strict=True):
        # Zero-length strokes with round caps: a thousand dots in a few kilobytes.
        path = "".join(f"M{5 + 10 * (i // _DOTS_DOWN)} {5 + 10 * (i % _DOTS_DOWN)}h0" for i in range(start, end))
        paths.append(f'<path class="{kind}" d="{path}"/>')
        start = end
    label = texts.DOTS_LABEL.format(
        found=people.found, missed=people.missed, recalled=people.recalled, cleared=people.cleared
    )
    legend = "".join(f'<span class="{kind}"><i></i>{name}: <b>{count}</b></span>' for kind, name, _, count in parts)
    return (
        f'<svg class="dots" viewBox="0 0 {10 * _DOTS_ACROSS} {10 * _DOTS_DOWN}" role="img" aria-label="{label}">'
        f'{"".join(paths)}</svg><div class="legend">{legend}</div>'
    )


class ThresholdPlot:
    """Precision and recall versus threshold at a prevalence. The curves are drawn once, the marks with every move."""

    def __init__(self, table: ThresholdTable, prevalence: float, texts: Texts) -> None:
        self._texts = texts
        low, high = self._range(table)
        ratio = high / low
        points = [table.at(low * ratio ** (step / _SAMPLES)).restated(prevalence) for step in range(_SAMPLES + 1)]
        self._low, self._high = points[0].threshold, points[-1].threshold
        drawn = [point for point in points if (point.sensitivity.value or 0) >= LEAST_FOUND and point.ppv is not None]
        self._most = max((point.ppv or 0 for point in drawn), default=0.1) * 1.1
        recall = _line((self._x(p.threshold), self._y_recall(p.sensitivity.value or 0)) for p in points)
        precision = _line((self._x(p.threshold), self._y_precision(p.ppv or 0)) for p in drawn)
        self._static = (
            self._panel(TOP, texts.PLOT_RECALL, [0, 0.5, 1], self._y_recall)
            + self._panel(
                _LOWER,
                texts.PLOT_PRECISION.format(prevalence=percent(prevalence, texts)),
                _round_levels(self._most),
                self._y_precision,
            )
            + self._axis()
            + f'<path class="recall" d="{recall}"/><path class="precision" d="{precision}"/>'
        )

    def svg(self, point: OperatingPoint) -> str:
        """The plot with `point`, at the plot's prevalence, marked."""
        texts = self._texts
        recall, precision = point.sensitivity.value, point.ppv
        label = texts.PLOT_LABEL.format(
            threshold=percent(point.threshold, texts), recall=_share(recall, texts), precision=_share(precision, texts)
        )
        x = self._x(point.threshold)
        marks = f'<path class="chosen" d="{_through_both(x)}"/>'
        for value, y_of, kind in ((recall, self._y_recall, "recall"), (precision, self._y_precision, "precision")):
            if value is not None:
                y = y_of(min(value, self._most) if kind == "precision" else value)
                leans = x > 0.8 * WIDTH
                below = kind == "recall" and value > 0.5  # above is the panel's title
                marks += (
                    f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="6"/><text class="value" '
                    f'x="{x + (-12 if leans else 12):.1f}" y="{y + 26 if below else y - 10:.1f}" '
                    f'text-anchor="{"end" if leans else "start"}">{percent(value, texts)}</text>'
                )
        return (
            f'<div class="card plot"><h3>{texts.PLOT_TITLE}</h3><svg viewBox="0 0 {WIDTH} {_HEIGHT}" role="img" '
            f'aria-label="{label}">{self._static}{marks}</svg></div>'
        )

    @staticmethod
    def _range(table: ThresholdTable) -> tuple[float, float]:
        """From where recall has only just left 100 % to the highest score."""
        low = max(table.threshold_for_sensitivity(1.0) / 2, _LEAST_DRAWN)
        return low, max(table.thresholds[-1], low * 10)

    def _x(self, threshold: float) -> float:
        inside = min(max(threshold, self._low), self._high)
        return LEFT + (_RIGHT_EDGE - LEFT) * log(inside / self._low) / log(self._high / self._low)

    @staticmethod
    def _y_recall(share: float) -> float:
        return TOP + PANEL * (1 - share)

    def _y_precision(self, share: float) -> float:
        return _LOWER + PANEL * (1 - share / self._most)

    def _panel(self, top: float, title: str, levels: list[float], y_of: Callable[[float], float]) -> str:
        lines = "".join(
            f'<path class="grid" d="M{LEFT} {y_of(level):.1f}H{_RIGHT_EDGE}"/>'
            f'<text class="axis" x="{LEFT - 8}" y="{y_of(level) + 4:.1f}" text-anchor="end">'
            f"{self._percent(level)}</text>"
            for level in levels
        )
        return f'<text class="title" x="{LEFT}" y="{top - 10}">{title}</text>{lines}'

    def _percent(self, level: float) -> str:
        return localised(f"{100 * level:g} %", self._texts)

    def _axis(self) -> str:
        levels = [m * 10.0**e for e in range(-5, 0) for m in (1, 2, 5)]
        shown: list[float] = []
        for level in levels:
            apart = not shown or self._x(level) - self._x(shown[-1]) >= _LEAST_TICK_GAP
            if self._low <= level <= self._high and apart:
                shown.append(level)
        labels = "".join(
            f'<path class="grid" d="{_through_both(self._x(level))}"/>'
            f'<text class="axis{" dense" if number % 2 else ""}" '  # a phone leaves these out
            f'x="{self._x(level):.1f}" y="{_LOWER + PANEL + 18}" text-anchor="middle">{self._percent(level)}</text>'
            for number, level in enumerate(shown)
        )
        middle = (LEFT + _RIGHT_EDGE) / 2
        title = f'<text class="axis" x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{self._texts.PLOT_AXIS}</text>'
        return labels + title


def _through_both(x: float) -> str:
    """A line from top to bottom of both panels, but not through the title between them."""
    return f"M{x:.1f} {TOP}V{TOP + PANEL}M{x:.1f} {_LOWER}V{_LOWER + PANEL}"


def _round_levels(most: float) -> list[float]:
    """Zero and a few round shares up to `most`."""
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if most / step <= 4.5)
    return [step * count for count in range(int(most / step) + 1)]


def _line(points: Iterator[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
