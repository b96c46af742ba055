"""What a server repeats goes on after a fault, and ends with the server."""

import asyncio

from isic_screen.serving.repeated import repeated
from tests.serving import run_apart


def test_a_fault_is_logged_and_does_not_end_the_work(caplog):
    times = []

    async def work() -> None:
        times.append(len(times))
        if len(times) < 3:
            raise KeyError("a visitor who has just gone")

    async def served() -> int:
        async with asyncio.timeout(60), repeated(work, 0):
            while len(times) < 5:
                await asyncio.sleep(0)
        done = len(times)
        await asyncio.sleep(0.05)
        return done

    assert run_apart(served()) == len(times)
    assert caplog.text.count("work failed") == 2
    assert caplog.text.count("KeyError: 'a visitor who has just gone'") == 2
