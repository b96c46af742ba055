"""The visitor's threshold and prevalence: what the slider, the usual choices and typed numbers come to.

Numbers out of range are brought back into it here. Gradio's own `minimum` and `maximum` raise before any callback runs:
the visitor would see an error on every part of the page, and the page would stand still. And fields of numbers are
fields of text: a browser reads a number by its own language, not the page's, and takes 0,43 for 43.
"""

from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal
from html import escape

import gradio as gr

from isic_screen.operating_point import DEFAULT_SENSITIVITY, SENSITIVITY_TARGETS, restate
from isic_screen.typed_number import typed_number
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.newest import Asked, Choice, InForce
from isic_screen.ui.numbers import localised
from isic_screen.ui.texts import Texts

LEAST_PREVALENCE, MOST_PREVALENCE = 0.01, 90.0  # percent
STEP = 0.5  # of the slider


@dataclass(frozen=True)
class Chosen:
    """What holds after the visitor's choices so far, and what the fields say of it."""

    held: InForce
    number: str
    """The threshold as its field shows it, in percent at the prevalence."""
    note: str | None = None
    """What is wrong with the number that was typed last; "" if nothing, None if none was typed."""

    @property
    def threshold(self) -> float:
        """On the model file's scale, 0 to 1."""
        return self.held.threshold

    @property
    def prevalence(self) -> float:
        """The clinic's, as a share."""
        return self.held.prevalence


def chosen(asked: Asked, callbacks: Callbacks) -> Chosen:
    """The choices that the browser tells, made one after the other."""
    facts = callbacks.screener.facts
    held = asked.in_force or InForce(
        threshold=facts.default_threshold, prevalence=facts.prevalence, caught=100 * DEFAULT_SENSITIVITY
    )
    found = Chosen(held, _number(held, callbacks))
    for choice in asked.choices:
        found = _STEPS[choice.field](found, choice, callbacks)
    return found


def _number(held: InForce, callbacks: Callbacks) -> str:
    at = restate(held.threshold, callbacks.screener.facts.prevalence, held.prevalence)
    return written(as_shown(at), callbacks.texts)


def _by_sensitivity(before: Chosen, choice: Choice, callbacks: Callbacks) -> Chosen:
    caught = choice.value if isinstance(choice.value, float) else 0.0  # an emptied field: the slider will show 0
    caught = min(max(caught, 0.0), 100.0)
    held = before.held.model_copy(update={"threshold": callbacks.threshold_for(caught), "caught": caught})
    return Chosen(held, _number(held, callbacks), "")


def _by_threshold(before: Chosen, choice: Choice, callbacks: Callbacks) -> Chosen:
    facts, held = callbacks.screener.facts, before.held
    try:
        given = _typed(choice)
    except ValueError:
        return replace(before, note=_no_number(choice, before.number, callbacks.texts))
    possible = None if given is None else min(max(given, 0.0), 100.0)
    shown = "" if possible is None else written(possible, callbacks.texts)
    note = "" if given == possible else _out_of_range(choice, 0, 100, shown, callbacks.texts)
    if possible is not None and shown == _number(held, callbacks):  # rounded, and the threshold in force is not
        return replace(before, number=shown, note=note)
    at = facts.default_threshold if possible is None else restate(possible / 100, held.prevalence, facts.prevalence)
    caught = slider_step(100 * (callbacks.point(at).sensitivity.value or 0))
    held = held.model_copy(update={"threshold": at, "caught": caught})
    return Chosen(held, shown or _number(held, callbacks), note)


def _by_prevalence(before: Chosen, choice: Choice, callbacks: Callbacks) -> Chosen:
    default, texts = callbacks.screener.facts.prevalence, callbacks.texts
    try:
        given = _typed(choice)
    except ValueError:
        return replace(before, note=_no_number(choice, written(in_percent(before.prevalence), texts), texts))
    now = share_of(given, default)
    possible = given is None or LEAST_PREVALENCE <= given <= MOST_PREVALENCE
    limits = LEAST_PREVALENCE, MOST_PREVALENCE
    note = "" if possible else _out_of_range(choice, *limits, written(in_percent(now), texts), texts)
    if now == before.prevalence:
        return replace(before, note=note)
    held = before.held.model_copy(update={"prevalence": now})
    return Chosen(held, _number(held, callbacks), note)


_STEPS = {"sensitivity": _by_sensitivity, "threshold": _by_threshold, "prevalence": _by_prevalence}


def _typed(choice: Choice) -> float | None:
    """The percentage that was typed, None for an emptied field; ValueError where it is no number."""
    text = str(choice.value or "").strip().removesuffix("%")
    return typed_number(text) if text else None


def _no_number(choice: Choice, stays: str, texts: Texts) -> str:
    return _note(texts.NOT_A_NUMBER.format(typed=escape(str(choice.value)), stays=stays))


def _out_of_range(choice: Choice, least: float, most: float, taken: str, texts: Texts) -> str:
    ends = {"least": written(least, texts), "most": written(most, texts)}
    return _note(texts.OUT_OF_RANGE.format(typed=escape(str(choice.value)), taken=taken, **ends))


def _note(sentence: str) -> str:
    return f'<p class="number-note" role="alert">{sentence}</p>'


def written(number: float, texts: Texts) -> str:
    """A number as a field shows it, in the page's language and without an exponent."""
    return localised(f"{Decimal(f'{number:.12g}'):f}", texts)


def number_field(value: float, texts: Texts, label: str, info: str | None, elem_id: str) -> gr.Textbox:
    """A field for a number; assets/page.js has phones show the digits."""
    return gr.Textbox(written(value, texts), label=label, info=info, elem_id=elem_id, max_lines=1, lines=1)


def share_of(percentage: float | None, default: float) -> float:
    """A typed prevalence as a share; an empty or impossible one is the model file's."""
    if percentage is None or percentage <= 0:
        return default
    share = min(max(percentage, LEAST_PREVALENCE), MOST_PREVALENCE) / 100
    return default if abs(share - default) < 1e-9 else share


def in_percent(share: float) -> float:
    """A share (0 to 1) as the number of percent that a field shows."""
    return round(100 * share, 6)  # 100 * 0.018 is 1.7999999999999998


def as_shown(threshold: float) -> float:
    """A threshold in percent, as exact as a person wants to read it.

    Rounded down, never up: thresholds are the scores of melanomas, and whoever types the number that is shown must not
    lose the one that it catches.
    """
    # Of 0.43 in hundredths, 100 times is 0.42999999999999994: what was typed reads as it was, where that loses nothing.
    for percentage in (Decimal(f"{100 * threshold:.12g}"), Decimal(100 * threshold)):
        if not percentage:
            return 0.0
        shown = float(percentage.quantize(Decimal(1).scaleb(percentage.adjusted() - 2), ROUND_FLOOR))
        if shown / 100 <= threshold:
            break
    return shown


def slider_step(percentage: float) -> float:
    """The slider's step that at least this percentage reaches."""
    return STEP * (percentage // STEP)


def preset_at(percentage: float) -> float | None:
    """The preset that the slider stands on, if it does."""
    return next((100 * target for target in SENSITIVITY_TARGETS if abs(100 * target - percentage) < 0.01), None)
