import io
import sys

import pytest

from isic_screen.progress import Bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _shown(stream: io.StringIO, monkeypatch, **options) -> list[str]:
    """What a bar over three steps writes, a repeated line being written over by the next."""
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(Bar(range(3), mininterval=0, **options)) == [0, 1, 2]
    return [line for line in stream.getvalue().replace("\n", "\r").split("\r") if line.strip()]


@pytest.mark.parametrize("leave", [True, False])
def test_a_terminal_shows_every_step(leave, monkeypatch):
    assert len(_shown(Terminal(), monkeypatch, leave=leave)) >= 4


def test_a_log_holds_the_beginning_and_the_end_alone(monkeypatch):
    first, *_, last = shown = _shown(io.StringIO(), monkeypatch)
    assert len(shown) == 2
    assert "0/3" in first
    assert "3/3" in last


def test_a_log_holds_nothing_of_short_work_whose_bar_would_vanish(monkeypatch):
    assert _shown(io.StringIO(), monkeypatch, leave=False) == []
