"""How names and numbers are worded in English sentences."""

from collections.abc import Iterable

SHOWN = 5  # how many offenders a message names before it only counts


def listed(items: Iterable[object], shown: int = SHOWN) -> str:
    """``a, b, c``; beyond ``shown`` items: ``a, b, c and 7 more``."""
    texts = [str(item) for item in items]
    rest = len(texts) - shown
    return ", ".join(texts[:shown]) + (f" and {rest:,} more" if rest > 0 else "")


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 image``, ``1,234 images``; ``plural`` is for a noun that takes more than an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """A share of 0 to 1 as a short percentage: 0.018 is "1.8 %"."""
    return f"{100 * share:.3g} %"
