"""The answer to one photo as HTML: quality, verdict, probability on its scale, heat map. Pure functions, no Gradio."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from PIL import Image

from isic_screen.explain import FloatMap, heat_layer
from isic_screen.operating_point import OperatingPoint, restate
from isic_screen.quality import Quality
from isic_screen.screener import Screening
from isic_screen.ui.heat_words import heat_caption, heat_title
from isic_screen.ui.numbers import against, percent, round_percent, weak_sentence
from isic_screen.ui.scale import Scale
from isic_screen.ui.texts import Texts

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


@dataclass
class Case:
    """One visitor's photo (RGB, reduced for display) and its screening; lives in the visitor's session only.

    `name` is its file's as the visitor knows it, `sha256` the `short_hash` of that file as it was given.
    `spread` is the lowest and highest probability among the photo's flips and turns; it is filled in once it has been
    measured, after the answer.
    """

    photo: Image.Image
    screening: Screening
    name: str = ""
    sha256: str = ""
    spread: tuple[float, float] | None = None

    @classmethod
    def of(cls, photo: Image.Image, screening: Screening, name: str = "", sha256: str = "") -> "Case":
        """Of an RGB photo of any size; it is copied, not changed."""
        shown = photo.copy()
        # About as sharp as the default filter when a photo gets smaller, and cheaper.
        shown.thumbnail((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.HAMMING)
        return cls(shown, screening, name, sha256)

    def borderline(self, threshold: float) -> bool:
        """Whether the flips and turns of the photo fall on both sides of a threshold."""
        return self.spread is not None and self.spread[0] < threshold <= self.spread[1]


def waiting(texts: Texts) -> str:
    """What stands in the answer's place before there is a photo."""
    return f'<div class="card waiting"><p>{texts.WAITING}</p></div>'


def under_way(texts: Texts) -> str:
    """What stands there while a photo is screened."""
    return f'<div class="card waiting"><p>{texts.SCREENING}</p></div>'


def failed(texts: Texts) -> str:
    """That the server gave no answer for a photo, and what to do."""
    return _alert(texts.FAILED, texts.FAILED_ADVICE)


def forgotten(texts: Texts) -> str:
    """That the server knows nothing any more of the photo that the page shows, and what to do."""
    return _alert(texts.FORGOTTEN, texts.FORGOTTEN_ADVICE)


def problem(sentence: str, texts: Texts) -> str:
    """Why a file could not be screened."""
    return _alert(texts.UNREADABLE, escape(sentence))


def not_updated(texts: Texts) -> str:
    """That the server gave no answer about a choice of threshold or prevalence, and what to do."""
    return _alert(texts.NOT_UPDATED, texts.NOT_UPDATED_ADVICE)


def _alert(heading: str, sentence: str) -> str:
    return f'<div class="card problem" role="alert"><h2>{icon("unfit")} {heading}</h2><p>{sentence}</p></div>'


def named(name: str, texts: Texts) -> str:
    """The heading over one photo of many."""
    return f'<h3 class="case-name">{texts.BATCH_FILE}: {escape(name)}</h3>'


def verdict(case: Case, point: OperatingPoint, prevalence: float, texts: Texts) -> str:
    """Quality, verdict and probability of a case at an operating point. An unfit photo gets no probability.

    `point` is on the model's own scale, as the screening is; what is shown is restated at `prevalence`.
    """
    screening = case.screening
    quality = _quality(screening.quality, texts)
    if screening.quality.verdict == "unfit":
        return f'<div class="card{weak_class(point)}">{quality}<p>{texts.UNFIT_ADVICE}</p></div>'
    flagged = screening.flagged(point.threshold)
    kind, word, why = ("refer", texts.REFER, texts.REFER_WHY) if flagged else ("below", texts.BELOW, texts.BELOW_WHY)

    def restated(probability: float) -> float:
        return restate(probability, point.prevalence, prevalence)

    stated, probability = point.restated(prevalence), restated(screening.probability)
    ends = [restated(end) for end in case.spread] if case.spread and case.borderline(point.threshold) else []
    threshold, (written, *turned) = against(stated.threshold, [probability, *ends], texts)
    return (
        f'<div class="card {kind}{weak_class(point)}">{quality}'
        f'<h2 class="verdict">{icon(kind)} {word}</h2><p class="why">{why.format(threshold=threshold)}</p>'
        f"{weak_threshold(point, texts)}"
        f"{_borderline(turned, texts)}"
        f'<p class="probability"><span class="figure">{written}</span> '
        f"{texts.PROBABILITY.format(prevalence=percent(prevalence, texts))}</p>"
        f"{_scale(probability, stated, written, threshold, texts)}</div>"
    )


def weak_class(point: OperatingPoint) -> str:
    """For a card in which nothing may be green, as the threshold catches too few melanomas."""
    return " weak" if point.weak else ""


def weak_threshold(point: OperatingPoint, texts: Texts) -> str:
    """The warning that a threshold catches too few melanomas, where it does."""
    sentence = weak_sentence(point, texts)
    return f'<p class="weak-threshold">{icon("doubtful")} {sentence}</p>' if sentence else ""


def _borderline(ends: Sequence[str], texts: Texts) -> str:
    if not ends:
        return ""
    low, high = ends
    return f'<p class="borderline">{icon("doubtful")} {texts.BORDERLINE.format(low=low, high=high)}</p>'


def heat(photo: Image.Image, heat_map: FloatMap, method: str, texts: Texts) -> str:
    """The photo with its heat map by one of explain.METHODS over it, or the sentence that there is none to show.

    The slider below it uncovers the photo, and the button saves what is seen (assets/page.js).

    Both pictures are data URIs: a file in Gradio's cache could be fetched by anyone who knows its address.
    """
    pictures = (
        f'<div class="pictures" style="--shape:{photo.width / photo.height:.4f}">'
        f'<img src="{data_uri(photo.convert("RGB"), "JPEG")}" alt="{texts.HEAT_ALT}">'
    )
    if not heat_map.any():
        return f'<div class="card heat"><h3>{texts.HEAT_TITLE}</h3>{pictures}</div><p>{texts.HEAT_EMPTY}</p></div>'
    layer = heat_layer(heat_map, (128, 128))  # smooth: the browser stretches it to the photo's shape
    return (
        f'<div class="card heat"><h3>{heat_title(method, texts)}</h3>{pictures}'
        f'<img class="layer" src="{data_uri(layer, "WEBP")}" alt=""></div>'
        f'<div class="heat-tools"><label>{texts.HEAT_SWIPE} <input class="swipe" type="range" min="0" max="100" '
        f'value="0"></label><button type="button" class="save">{texts.HEAT_SAVE}</button></div>'
        f"<p>{heat_caption(method, texts)}</p></div>"
    )


def _quality(quality: Quality, texts: Texts) -> str:
    labels = {"fit": texts.PHOTO_FIT, "doubtful": texts.PHOTO_DOUBTFUL, "unfit": texts.PHOTO_UNFIT}
    reasons = "".join(f"<li>{escape(texts.reason(reason))}</li>" for reason in quality.reasons)
    listed = f"<ul>{reasons}</ul>" if reasons else ""
    return f'<div class="quality {quality.verdict}">{icon(quality.verdict)} {labels[quality.verdict]}{listed}</div>'


def _scale(probability: float, point: OperatingPoint, written: str, threshold: str, texts: Texts) -> str:
    """A bar on the log-odds scale, marked with probability and threshold (`written` are the two) and prevalence."""
    scale = Scale.at(point.prevalence)
    shown = {"probability": written, "threshold": threshold, "prevalence": percent(point.prevalence, texts)}
    at_threshold, at_prevalence = scale.position(point.threshold), scale.position(point.prevalence)
    marks = "".join(
        f'<span class="tick" style="left:{100 * scale.position(tick):.1f}%">{round_percent(tick, texts)}</span>'
        for tick in scale.ticks(clear_of=point.prevalence)
    )
    return (
        f'<div class="scale" role="img" aria-label="{texts.SCALE_LABEL.format(**shown)}">'
        f'<span class="mark threshold{_side(at_threshold)}" style="left:{100 * at_threshold:.1f}%">'
        f"{texts.SCALE_THRESHOLD.format(**shown)}</span>"
        f'<div class="bar"><div class="above" style="left:{100 * at_threshold:.1f}%"></div>'
        f'<div class="line" style="left:{100 * at_threshold:.1f}%"></div>'
        f'<div class="line faint" style="left:{100 * at_prevalence:.1f}%"></div>'
        f'<div class="dot" style="left:{100 * scale.position(probability):.1f}%"></div></div>'
        f'<div class="ticks">{marks}</div>'
        f'<span class="mark prevalence{_side(at_prevalence)}" style="left:{100 * at_prevalence:.1f}%">'
        f"{texts.SCALE_PREVALENCE.format(**shown)}</span></div>"
    )


def _side(share: float) -> str:
    """Labels near an end lean inwards, so that they stay on the card."""
    return " leans-left" if share > 0.75 else " leans-right" if share < 0.25 else ""


def icon(kind: str) -> str:
    """One of the shapes above, in the colour of the text around it."""
    return f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{_ICONS[kind]}</svg>'


def data_uri(picture: Image.Image, kind: Literal["JPEG", "WEBP"]) -> str:
    """A picture as an address that holds it. WebP keeps transparency, but takes far longer to write than JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, quality=88, method=0)  # WebP's fastest
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
