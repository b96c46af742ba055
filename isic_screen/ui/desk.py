"""What a visitor has before them."""

from dataclasses import dataclass

from isic_screen.ui.answer import Case
from isic_screen.ui.newest import Asked


@dataclass
class Desk:
    """The photo that was screened last and its answer; lives in the visitor's session only."""

    photo: str | None = None
    """The name by which the browser knows the photo; None before any."""
    path: str | None = None
    """The upload."""
    case: Case | None = None
    card: str = ""
    """What stands in the answer's place while there is no case."""

    def holds(self, asked: Asked) -> bool:
        """Whether the photo that the browser shows is the one that was screened."""
        return asked.photo is not None and asked.photo == self.photo

    def forgotten(self, asked: Asked) -> bool:
        """Whether the page shows the answer to a photo that is not known here any more.

        The server was started anew, or an hour has passed: then the desk is a new one, and the page is not.
        """
        return asked.photo is not None and asked.photo == asked.screened and not self.holds(asked)
