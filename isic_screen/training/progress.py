"""What a run tells its user, on standard error, past any progress bar; of several processes, the main one speaks."""

import sys
from collections.abc import Sequence

from tqdm import tqdm

from isic_screen.processes import launched
from isic_screen.wording import counted

_SHOWN = 10  # of images that cannot be read


def say(line: str, *, quiet: bool = False) -> None:
    """One line, or none when `quiet`."""
    if launched().main and not quiet:
        tqdm.write(line, file=sys.stderr)


def say_set_aside(reasons: Sequence[str], total: int) -> None:
    """Why some of `total` images cannot be read, which a run goes on without; nothing where all can."""
    if reasons:
        say(f"Warning: set aside, as they cannot be read: {len(reasons):,} of {counted(total, 'image')}:")
    for reason in reasons[:_SHOWN]:
        say(f"  {reason}")
