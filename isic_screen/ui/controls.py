"""The controls of threshold and prevalence: each is an input, and shows what the others come to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from isic_screen.operating_point import DEFAULT_SENSITIVITY, SENSITIVITY_TARGETS
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.numbers import localised, percent
from isic_screen.ui.texts import Texts
from isic_screen.ui.threshold import (
    LEAST_PREVALENCE,
    MOST_PREVALENCE,
    STEP,
    Chosen,
    as_shown,
    in_percent,
    number_field,
    preset_at,
    written,
)

PARTS = ["sensitivity", "batch-sensitivity", "presets", "threshold", "prevalence"]
"""The names by which assets/newest.js knows the controls."""

_CHOOSE = "(value) => window.isicScreen.choose('{field}', '{control}', value)"


def sensitivity_slider(texts: Texts, elem_id: str, *, render: bool = True) -> gr.Slider:
    """The slider by which a threshold is chosen: melanomas to catch, in percent.

    It begins at 0, for it also shows what a typed threshold catches. Its reset button is left out: it would move the
    slider alone.
    """
    return gr.Slider(
        0,
        100,
        100 * DEFAULT_SENSITIVITY,
        step=STEP,
        label=texts.SENSITIVITY,
        info=texts.SENSITIVITY_INFO,
        elem_id=elem_id,
        render=render,
        buttons=[],
    )


@dataclass(frozen=True)
class Controls:
    """What the visitor chooses by, on all tabs."""

    sensitivity: gr.Slider
    elsewhere: gr.Slider
    """The same slider on another tab."""
    presets: gr.Radio
    number: gr.Textbox
    prevalence: gr.Textbox
    note: gr.HTML
    """What is wrong with a number that was typed."""

    @property
    def parts(self) -> list[Any]:
        """The components."""
        return [self.sensitivity, self.elsewhere, self.presets, self.number, self.prevalence, self.note]

    @property
    def moves(self) -> list[Callable[..., Any]]:
        """All that changes what is in force; the browser has noted the choice before what is added here begins."""
        sliders = [self.sensitivity.input, self.elsewhere.input, self.presets.input]
        fields = [self.number.submit, self.number.blur, self.prevalence.submit, self.prevalence.blur]
        return [*sliders, *fields]

    def show(self, found: Chosen, texts: Texts) -> dict[Any, Any]:
        """The values of the controls after the visitor's choices."""
        caught = found.held.caught
        return {
            self.sensitivity: caught,
            self.elsewhere: caught,
            self.presets: preset_at(caught),
            self.number: found.number,
            self.prevalence: written(in_percent(found.prevalence), texts),
            **({} if found.note is None else {self.note: found.note}),
        }


def controls(callbacks: Callbacks, elsewhere: gr.Slider) -> Controls:
    """The components, in the context that they stand in, and their events in the browser."""
    texts, facts = callbacks.texts, callbacks.screener.facts
    with gr.Group(elem_classes="threshold-controls"):
        gr.HTML(f'<h2 class="section">{texts.THRESHOLD_TITLE}</h2>')
        sensitivity = sensitivity_slider(texts, elem_id="sensitivity")
        presets = gr.Radio(
            [(texts.PRESET.format(percent=f"{100 * target:g}"), 100 * target) for target in SENSITIVITY_TARGETS],
            value=100 * DEFAULT_SENSITIVITY,
            label=texts.PRESETS,
            elem_id="presets",
        )
        with gr.Row(elem_classes="numbers"):
            number = number_field(
                as_shown(facts.default_threshold),
                texts,
                texts.THRESHOLD_NUMBER,
                info=texts.THRESHOLD_NUMBER_INFO,
                elem_id="threshold",
            )
            info = texts.PREVALENCE_INFO.format(
                prevalence=percent(facts.prevalence, texts),
                least=localised(f"{LEAST_PREVALENCE:g}", texts),
                most=localised(f"{MOST_PREVALENCE:g}", texts),
            )
            prevalence = number_field(
                in_percent(facts.prevalence), texts, texts.PREVALENCE, info=info, elem_id="prevalence"
            )
        note = gr.HTML("", elem_id="number-note")
    found = Controls(sensitivity, elsewhere, presets, number, prevalence, note)
    for control, field, events in (
        (sensitivity, "sensitivity", [sensitivity.input]),
        (elsewhere, "sensitivity", [elsewhere.input]),
        (presets, "sensitivity", [presets.input]),
        (number, "threshold", [number.submit, number.blur]),
        (prevalence, "prevalence", [prevalence.submit, prevalence.blur]),
    ):
        script = _CHOOSE.format(field=field, control=control.elem_id)
        gr.on(events, None, control, None, js=script, api_visibility="private", trigger_mode="multiple")
    return found
