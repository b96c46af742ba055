"""The errors a user can act on.

Every message is one or two sentences: what was wrong, with which file or row, and what to do. The command line
and the page show the message alone; anything that is not a ``ScreenError`` is a fault of ours and keeps its trace.
"""

_MOST_SIGNS = 2000


class ScreenError(Exception):
    """Base of everything isic_screen raises on purpose."""

    def __str__(self) -> str:
        """The message, short and without control characters: it may quote a file, and a terminal would obey them."""
        message = "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in super().__str__())
        return message if len(message) <= _MOST_SIGNS else f"{message[: _MOST_SIGNS - 1]}…"


class PhotoError(ScreenError):
    """A file that is not a photo we can screen."""


class ModelFileError(ScreenError):
    """A model file that is missing, damaged, or of a format this version does not know."""


class WeightsError(ScreenError):
    """Backbone weights that cannot be had or do not fit the backbone."""


class DataError(ScreenError):
    """A data set that cannot be read, or cannot be trained or evaluated on."""


class RecipeError(ScreenError):
    """A recipe with an unknown key or a value out of range."""


class TrainingError(ScreenError):
    """A training run that had to stop."""
