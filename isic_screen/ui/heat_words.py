"""What a heat map is called and what its warm places mean: each method's differ."""

from isic_screen.explain import SHOWS
from isic_screen.ui.texts import Texts


def heat_title(method: str, texts: Texts) -> str:
    """The heading over a map by one of explain.METHODS, with its name."""
    title = texts.HEAT_TITLE_ATTENTION if SHOWS[method] == "attention" else texts.HEAT_TITLE
    return f"{title} ({method})"


def heat_caption(method: str, texts: Texts) -> str:
    """What its warm places mean."""
    meaning = {
        "evidence": texts.HEAT_CAPTION,
        "support": texts.HEAT_CAPTION_SUPPORT,
        "attention": texts.HEAT_CAPTION_ATTENTION,
    }[SHOWS[method]]
    return f"{meaning} {texts.HEAT_COARSE}"
