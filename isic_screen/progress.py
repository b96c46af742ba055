"""What a run tells its user on standard error: lines, and bars for long work; of several processes, the main speaks."""

import sys
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from isic_screen.processes import launched
from isic_screen.wording import counted

_SHOWN = 10  # of images that cannot be read
_LOGGED_EVERY = 30  # seconds


class Bar(tqdm):
    """A progress bar. In a log, where no line is written over, it comes twice a minute, and one that would vanish
    (`leave=False`) comes only where the work takes longer than that."""

    def __init__(self, *given: Any, leave: bool = True, **options: Any) -> None:
        if not sys.stderr.isatty():
            options |= {"mininterval": _LOGGED_EVERY, "delay": 0 if leave else _LOGGED_EVERY}
        super().__init__(*given, leave=leave, **options)


def say(line: str, *, quiet: bool = False) -> None:
    """One line, or none when `quiet`."""
    if launched().main and not quiet:
        Bar.write(line, file=sys.stderr)


def say_set_aside(reasons: Sequence[str], total: int) -> None:
    """Why some of `total` images cannot be read, which a run goes on without; nothing where all can."""
    if reasons:
        say(f"Warning: set aside, as they cannot be read: {len(reasons):,} of {counted(total, 'image')}:")
    for reason in reasons[:_SHOWN]:
        say(f"  {reason}")
