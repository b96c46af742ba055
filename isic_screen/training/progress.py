"""What a run tells its user, on standard error, past any progress bar; of several processes, the main one speaks."""

import sys

from tqdm import tqdm

from isic_screen.processes import launched


def say(line: str, *, quiet: bool = False) -> None:
    """One line, or none when `quiet`."""
    if launched().main and not quiet:
        tqdm.write(line, file=sys.stderr)
