"""How numbers are written on the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from isic_screen.operating_point import OperatingPoint, Per1000, Proportion
from isic_screen.ui.texts import Texts

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
_MOST_FURTHER = 6


def percent(share: float, texts: Texts, further: int = 0) -> str:
    """A share (0 to 1) in percent with two significant digits and `further` ones, never rounded to a sure 0 or 100."""
    value = 100 * share
    near_none, near_all = 4 + further, 2 + further  # decimals down to which it is written
    if 0 < value < 10**-near_none:
        return localised(f"< {10**-near_none:.{near_none}f}{NARROW_SPACE}%", texts)
    if 100 - 10**-near_all < value < 100:
        return localised(f"> {100 - 10**-near_all:.{near_all}f}{NARROW_SPACE}%", texts)
    # Close to 100 it is the distance from there that counts: 99.8 and 99.97, not 100.
    decimals = max(1, -floor(log10(100 - value) if value < 100 else 0)) if value > 99 else _decimals(value)
    return localised(f"{value:.{decimals + further}f}{NARROW_SPACE}%", texts)


def round_percent(share: float, texts: Texts) -> str:
    """A round share, as on an axis, in percent without digits that say nothing."""
    return localised(f"{100 * share:.10f}".rstrip("0").rstrip(".") + f"{NARROW_SPACE}%", texts)


def against(threshold: float, probabilities: Sequence[float], texts: Texts) -> tuple[str, list[str]]:
    """A threshold and probabilities in percent, each with as many digits as it takes to see on which side it is."""

    def further(probability: float) -> int:
        """How many digits more it takes until the two no longer read alike."""
        apart = (n for n in range(_MOST_FURTHER) if percent(probability, texts, n) != percent(threshold, texts, n))
        return next(apart, _MOST_FURTHER)

    needed = {probability: further(probability) for probability in probabilities if probability != threshold}
    most = max(needed.values(), default=0)
    # A probability that is the threshold reads like it.
    written = [percent(probability, texts, needed.get(probability, most)) for probability in probabilities]
    return percent(threshold, texts, most), written


def weak_sentence(point: OperatingPoint, texts: Texts) -> str:
    """The warning that a threshold catches fewer than half of the melanomas; "" where it catches more."""
    caught = point.sensitivity.value
    return texts.WEAK.format(sensitivity=percent(caught, texts)) if point.weak and caught is not None else ""


def people(count: float, texts: Texts) -> str:
    """An expected number of people; small ones keep digits, as 0.4 or 0.05 missed is not none."""
    return _people(count, _people_decimals(count), texts)


@dataclass(frozen=True)
class People:
    """Per1000 as it is written. What is found and missed adds up to the melanomas, and the healthy add up too."""

    found: str
    missed: str
    melanomas: str
    recalled: str
    cleared: str
    healthy: str

    @classmethod
    def of(cls, counts: Per1000, texts: Texts) -> "People":
        """Both pairs rounded so that the parts still add up."""
        return cls(
            *_two_and_all(counts.found, counts.missed, texts),
            *_two_and_all(counts.recalled_healthy, counts.cleared_healthy, texts),
        )


def interval(share: Proportion, texts: Texts) -> str:
    """A proportion's 95 % interval and counts; "" where nothing was counted."""
    if share.low is None or share.high is None:
        return ""
    return texts.INTERVAL.format(
        low=localised(f"{100 * share.low:.1f}", texts),
        high=localised(f"{100 * share.high:.1f}", texts),
        count=share.count,
        total=share.total,
    )


def localised(number: str, texts: Texts) -> str:
    """A number as Python writes it, with the decimal and thousands marks of the language."""
    return number.translate(str.maketrans(".,", texts.DECIMAL_MARK + texts.THOUSANDS_MARK))


def _decimals(value: float) -> int:
    """Decimals that leave two significant digits, after rounding to these: 9.96 is 10."""
    rounded = float(f"{value:.1e}")
    return max(0, 1 - floor(log10(rounded))) if rounded else 0


def _people_decimals(count: float) -> int:
    return 0 if count >= 20 or not count else 1 if count >= 0.1 else _decimals(count)


def _people(count: float, decimals: int, texts: Texts) -> str:
    written = f"{count:,.{decimals}f}"
    return localised(written.rstrip("0").rstrip(".") if "." in written else written, texts)


def _two_and_all(one: float, other: float, texts: Texts) -> tuple[str, str, str]:
    """Two numbers of people and their sum, with as many decimals as the smaller needs."""
    decimals = _people_decimals(min((count for count in (one, other) if count > 0), default=0.0))
    both, least = round(one + other, decimals), round(min(one, other), decimals)
    parts = (least, both - least) if one <= other else (both - least, least)
    first, second, third = (_people(count, decimals, texts) for count in (*parts, both))
    return first, second, third
