"""The log-odds scale that probabilities of a rare disease need: 0.5 % and 2 % must not look alike."""

from dataclasses import dataclass
from math import log

from isic_screen.operating_point import restate

LOWEST, HIGHEST = 0.0005, 0.9
_CHOSEN_AT = 0.018
"""The prevalence at which photos' probabilities lie between these ends."""
_TICKS = (0.00001, 0.0001, 0.001, 0.005, 0.02, 0.1, 0.3, 0.7, 0.95, 0.995)
_APART, _CLEAR, _MARGIN = 0.11, 0.06, 0.04
"""Of the scale's length, between the middles of ticks, between a tick and the mark, and at either end."""


@dataclass(frozen=True)
class Scale:
    """A scale from probability `low` to `high`."""

    low: float
    high: float

    @classmethod
    def at(cls, prevalence: float) -> "Scale":
        """The usual scale, reaching further down or up where another prevalence moves the probabilities there."""
        low, high = (restate(end, _CHOSEN_AT, prevalence) for end in (LOWEST, HIGHEST))
        return cls(min(low, LOWEST), max(high, HIGHEST))

    def position(self, probability: float) -> float:
        """Where a probability (0 to 1) stands, 0 (left end) to 1; beyond the ends it stays at the end."""
        inside = min(max(probability, self.low), self.high)
        return (_log_odds(inside) - _log_odds(self.low)) / (_log_odds(self.high) - _log_odds(self.low))

    def ticks(self, clear_of: float) -> list[float]:
        """Round probabilities to label the scale with, leaving room for the mark at `clear_of`."""
        shown: list[float] = []
        for tick in _TICKS:
            place = self.position(tick)
            apart = not shown or place - self.position(shown[-1]) >= _APART
            if apart and _MARGIN < place < 1 - _MARGIN and abs(place - self.position(clear_of)) > _CLEAR:
                shown.append(tick)
        return shown


def _log_odds(probability: float) -> float:
    return log(probability / (1 - probability))
