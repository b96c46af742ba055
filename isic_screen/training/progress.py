"""What a run tells its user, on standard error, past any progress bar."""

import sys

from tqdm import tqdm


def say(line: str, *, quiet: bool = False) -> None:
    """One line, or none when `quiet`."""
    if not quiet:
        tqdm.write(line, file=sys.stderr)
