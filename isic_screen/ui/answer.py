"""The answer to one photo as HTML: quality, verdict, probability on its scale, heat map. Pure functions, no Gradio."""

import base64
import io
from dataclasses import dataclass
from html import escape

from PIL import Image

from isic_screen.explain import FloatMap, heat_layer
from isic_screen.operating_point import OperatingPoint
from isic_screen.quality import Quality
from isic_screen.screener import Screening
from isic_screen.ui import texts
from isic_screen.ui.numbers import percent
from isic_screen.ui.scale import position, ticks

SHOWN_SIDE = 900
"""Longest side, in pixels, of the photo as the answer shows it."""

# Shapes tell what colours tell: a filled triangle refers, a hollow circle does not, a cross stops.
_ICONS = {
    "refer": '<path d="M12 3 22 21H2Z" fill="currentColor"/><path d="M12 10v5M12 17.5v.5" stroke="var(--paper)" '
    'stroke-width="2" stroke-linecap="round"/>',
    "below": '<circle cx="12" cy="12" r="9" fill="none" stroke="currentColor" stroke-width="2.5"/>'
    '<path d="M8 12h8" stroke="currentColor" stroke-width="2.5" stroke-linecap="round"/>',
    "fit": '<path d="m4 13 5 5L20 6" fill="none" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" '
    'stroke-linejoin="round"/>',
    "doubtful": '<path d="M12 4v10M12 19v.5" stroke="currentColor" stroke-width="3" stroke-linecap="round"/>',
    "unfit": '<path d="m5 5 14 14M19 5 5 19" stroke="currentColor" stroke-width="3" stroke-linecap="round"/>',
}


@dataclass(frozen=True)
class Case:
    """One visitor's photo (RGB, reduced for display) and its screening; lives in the visitor's session only."""

    photo: Image.Image
    screening: Screening

    @classmethod
    def of(cls, photo: Image.Image, screening: Screening) -> "Case":
        shown = photo.copy()
        shown.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
        return cls(shown, screening)


def waiting() -> str:
    """What stands in the answer's place before there is a photo."""
    return f'<div class="card waiting"><p>{texts.WAITING}</p></div>'


def problem(sentence: str) -> str:
    """Why a file could not be screened."""
    return (
        f'<div class="card problem" role="alert"><h2>{_icon("unfit")} {texts.UNREADABLE}</h2>'
        f"<p>{escape(sentence)}</p></div>"
    )


def verdict(screening: Screening, point: OperatingPoint) -> str:
    """Quality, verdict and probability of a screening at an operating point. An unfit photo gets no probability."""
    quality = _quality(screening.quality)
    if screening.quality.verdict == "unfit":
        return f'<div class="card">{quality}<p>{texts.UNFIT_ADVICE}</p></div>'
    flagged = screening.flagged(point.threshold)
    kind, word, why = ("refer", texts.REFER, texts.REFER_WHY) if flagged else ("below", texts.BELOW, texts.BELOW_WHY)
    prevalence, threshold = percent(point.prevalence), percent(point.threshold)
    return (
        f'<div class="card {kind}">{quality}'
        f'<h2 class="verdict">{_icon(kind)} {word}</h2><p class="why">{why.format(threshold=threshold)}</p>'
        f'<p class="probability"><span class="figure">{percent(screening.probability)}</span> '
        f"{texts.PROBABILITY.format(prevalence=prevalence)}</p>"
        f"{_scale(screening.probability, point)}</div>"
    )


def heat(photo: Image.Image, heat_map: FloatMap) -> str:
    """The photo with its heat map over it, or the sentence that there is none to show.

    Both pictures are data URIs: a file in Gradio's cache could be fetched by anyone who knows its address.
    """
    head = f'<h3 id="heat-title">{texts.HEAT_TITLE}</h3>'
    picture = f'<img src="{_data_uri(photo.convert("RGB"))}" alt="{texts.HEAT_ALT}">'
    if not heat_map.any():
        return f'<div class="card heat">{head}<div class="pictures">{picture}</div><p>{texts.HEAT_EMPTY}</p></div>'
    layer = heat_layer(heat_map, (256, 256))  # smooth: the browser stretches it to the photo's shape
    return (
        f'<div class="card heat">{head}<div class="pictures">{picture}'
        f'<img class="layer" src="{_data_uri(layer)}" alt=""></div><p>{texts.HEAT_CAPTION}</p></div>'
    )


def _quality(quality: Quality) -> str:
    labels = {"fit": texts.PHOTO_FIT, "doubtful": texts.PHOTO_DOUBTFUL, "unfit": texts.PHOTO_UNFIT}
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in quality.reasons)
    listed = f"<ul>{reasons}</ul>" if reasons else ""
    return f'<div class="quality {quality.verdict}">{_icon(quality.verdict)} {labels[quality.verdict]}{listed}</div>'


def _scale(probability: float, point: OperatingPoint) -> str:
    """A bar on the log-odds scale, marked with probability, threshold and prevalence."""
    shown = {
        "probability": percent(probability),
        "threshold": percent(point.threshold),
        "prevalence": percent(point.prevalence),
    }
    at_threshold, at_prevalence = position(point.threshold), position(point.prevalence)
    marks = "".join(
        f'<span class="tick" style="left:{100 * position(tick):.1f}%">{100 * tick:g}</span>'
        for tick in ticks(clear_of=point.prevalence)
    )
    return (
        f'<div class="scale" role="img" aria-label="{texts.SCALE_LABEL.format(**shown)}">'
        f'<span class="mark threshold{_side(at_threshold)}" style="left:{100 * at_threshold:.1f}%">'
        f"{texts.SCALE_THRESHOLD.format(**shown)}</span>"
        f'<div class="bar"><div class="above" style="left:{100 * at_threshold:.1f}%"></div>'
        f'<div class="line" style="left:{100 * at_threshold:.1f}%"></div>'
        f'<div class="line faint" style="left:{100 * at_prevalence:.1f}%"></div>'
        f'<div class="dot" style="left:{100 * position(probability):.1f}%"></div></div>'
        f'<div class="ticks">{marks}</div>'
        f'<span class="mark prevalence{_side(at_prevalence)}" style="left:{100 * at_prevalence:.1f}%">'
        f"{texts.SCALE_PREVALENCE.format(**shown)}</span></div>"
    )


def _side(share: float) -> str:
    """Labels near an end lean inwards, so that they stay on the card."""
    return " leans-left" if share > 0.75 else " leans-right" if share < 0.25 else ""


def _icon(kind: str) -> str:
    return f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{_ICONS[kind]}</svg>'


def _data_uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=85)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
