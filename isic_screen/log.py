"""The program's own warnings: one line each on standard error."""

import logging
import sys
from functools import cache


def to_stderr(level: int = logging.WARNING) -> None:
    """Let what is logged from `level` on, by us and by the libraries, appear as lines of one form, above any bar."""
    from tqdm import tqdm  # here, as --help need not wait for it

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tqdm.write(self.format(record), file=sys.stderr)

    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(format=form, level=level, handlers=[Lines()])


@cache  # which makes it once
def warn_once(logger: logging.Logger, line: str) -> None:
    """Log a warning, the first time that this process gives it."""
    logger.warning(line)
