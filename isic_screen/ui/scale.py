"""The log-odds scale that probabilities of a rare disease need: 0.5 % and 2 % must not look alike."""

from math import log

LOWEST, HIGHEST = 0.0005, 0.9
_TICKS = (0.001, 0.005, 0.02, 0.1, 0.3, 0.7)


def position(probability: float) -> float:
    """Where a probability (0 to 1) stands on the scale, 0 (left end) to 1; beyond the ends it stays at the end."""
    inside = min(max(probability, LOWEST), HIGHEST)
    return (_log_odds(inside) - _log_odds(LOWEST)) / (_log_odds(HIGHEST) - _log_odds(LOWEST))


def ticks(clear_of: float) -> tuple[float, ...]:
    """Round probabilities to label the scale with, leaving room for the mark at `clear_of`."""
    return tuple(tick for tick in _TICKS if abs(position(tick) - position(clear_of)) > 0.06)


def _log_odds(probability: float) -> float:
    return log(probability / (1 - probability))
