"""isic-screen: a calibrated probability of melanoma from a dermoscopy photo, and what a threshold on it means.

Decision support for clinicians, not a diagnosis.

    from isic_screen import Screener, open_photo

    screening = Screener().screen(open_photo("lesion.jpg"))
    print(screening.probability, screening.quality.verdict)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isic_screen.artifact import Model, ModelFacts, load_model
    from isic_screen.errors import (
        DataError,
        ModelFileError,
        PhotoError,
        RecipeError,
        ScreenError,
        TrainingError,
        WeightsError,
    )
    from isic_screen.photo import open_photo
    from isic_screen.screener import Screener, Screening

_HOMES = {
    "isic_screen.artifact": ("Model", "ModelFacts", "load_model"),
    "isic_screen.errors": (
        "DataError",
        "ModelFileError",
        "PhotoError",
        "RecipeError",
        "ScreenError",
        "TrainingError",
        "WeightsError",
    ),
    "isic_screen.photo": ("open_photo",),
    "isic_screen.screener": ("Screener", "Screening"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "DataError",
    "Model",
    "ModelFacts",
    "ModelFileError",
    "PhotoError",
    "RecipeError",
    "ScreenError",
    "Screener",
    "Screening",
    "TrainingError",
    "WeightsError",
    "load_model",
    "open_photo",
]
__version__ = "0.12.0"


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that what needs no network does not wait for torch."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
