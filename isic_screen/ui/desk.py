"""What a visitor has before them."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from isic_screen.ui.answer import Case
from isic_screen.ui.callbacks import Callbacks


@dataclass
class Desk:
    """What a visitor has before them; lives in their session only.

    It is changed in place: so an answer that comes late sees that another photo has been given meanwhile.
    """

    card: str
    """What stands in the answer's place while there is no case."""
    path: str | None = ""
    """The photo that was given last, None when it was taken away; empty before any."""
    case: Case | None = None

    def heat(self, callbacks: Callbacks, by: str) -> Any:
        """The heat map by one of METHODS; nothing new where another photo came meanwhile."""
        case = self.case
        picture = callbacks.heat(case, by)
        return picture if self.case is case else gr.skip()

    def forgotten(self, shown: str) -> bool:
        """Whether the page shows a card of a photo that is not known here any more.

        The server was started anew, or an hour has passed: then the desk is a new one, and the page is not.
        """
        return self.path == "" and shown != self.card
