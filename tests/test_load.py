"""The load test in small: eight visitors, sixty requests, one kill. The long one: `python -m benchmarks.load`."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import load, load_files
from benchmarks.load_requests import MIX

CLIENTS, REQUESTS, PHOTOS = 8, 60, 10


def loaded(folder: Path, requests: int = REQUESTS, **options) -> dict:
    """In a thread of its own: Playwright keeps a loop running in this one, where the browser tests came before."""
    photos = [load_files.drawn(seed) for seed in range(PHOTOS)]
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(
            asyncio.run, load.load(folder, CLIENTS, requests, photos, seed=1, sweep=False, **options)
        ).result()


def test_no_visitor_of_many_gets_a_wrong_answer_through_faults_and_a_kill(tmp_path):
    result = loaded(tmp_path)
    assert result["findings"] == []
    assert result["wrong_answers"] == 0
    assert result["requests"] == REQUESTS
    assert result["answers_compared"] > REQUESTS
    assert set(result["requests_by_kind"]) == set(MIX)
    faults = result["faults_injected"]
    assert faults["kills"] == 1
    assert faults["requests cut off by a kill and made again"] > 0
    assert result["disk_mb"]["files and folders left when it stopped"] == 0


# Answers cross where two photos are screened at a time, as they would through an attribute that visitors share.
CROSSING = """
import sys, time
import app
from isic_screen.screener import Screener

alone = Screener.screen

def screen(self, photo):
    self.found = alone(self, photo)
    time.sleep(0.1)
    return self.found

Screener.screen = screen
sys.exit(app.main())
"""


def test_answers_that_cross_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "MIX", {"good photo": MIX["good photo"]})
    result = loaded(tmp_path, requests=30, command=(sys.executable, "-c", CROSSING))
    assert result["wrong_answers"] > 0
    assert any("is not the answer alone" in finding for finding in result["findings"])
