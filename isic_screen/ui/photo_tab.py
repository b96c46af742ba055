"""The tab for one photo: the photo, its answer and heat map, and the threshold with what it means."""

import base64
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import gradio as gr

from isic_screen.explain import METHODS
from isic_screen.operating_point import DEFAULT_SENSITIVITY, SENSITIVITY_TARGETS, restate
from isic_screen.ui import answer
from isic_screen.ui.answer import Case
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.numbers import percent
from isic_screen.ui.uploads import hand_over_file

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "assets" / "examples").glob("*.jpg"))

SESSION_SECONDS = 3600
"""How long a visitor's case is kept in memory, at most."""
MODEL_AT_ONCE: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "model"}
"""How often the network runs side by side, over all visitors and tabs."""
QUICK: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "queue": False,
    "trigger_mode": "always_last",
}
"""Events that only compute: they wait for no photo."""

_DEFAULT_STRENGTH = 55
_STEP = 0.5
_LOWEST_SENSITIVITY = 50
_LEAST_PREVALENCE, _MOST_PREVALENCE = 0.01, 90.0  # percent
# In the browser alone: the layer is already there, only its opacity changes.
_SET_STRENGTH = "(strength) => { document.body.style.setProperty('--heat', strength / 100); }"
_SAVE_PDF = "(pdf) => window.isicScreenSave(pdf, 'isic-screen-report.pdf', 'application/pdf')"


@dataclass(frozen=True)
class Threshold:
    """The visitor's choice, for other tabs to follow."""

    value: gr.State
    """On the model file's scale, 0 to 1."""
    prevalence: gr.Number
    """The clinic's, in percent; see `share_of`."""
    moves: list[Any]
    """The events that change either: what follows hangs on them by `then`."""


def photo_tab(callbacks: Callbacks, other_sensitivity: gr.Slider) -> Threshold:
    """The components and events of the tab, inside the tab's context. `other_sensitivity` follows and leads as well."""
    texts, facts = callbacks.texts, callbacks.screener.facts
    case = gr.State(None, time_to_live=SESSION_SECONDS)
    threshold = gr.State(facts.default_threshold)
    htmls = callbacks.meaning(facts.default_threshold, facts.prevalence)

    with gr.Row(elem_classes="photo-and-answer"):
        with gr.Column(scale=5, min_width=320):
            photo = gr.Image(
                label=texts.PHOTO,
                type="filepath",
                image_mode=None,
                sources=["upload", "clipboard", "webcam"],
                height=340,
                buttons=["fullscreen"],
                placeholder=texts.PHOTO_HINT,
                elem_id="photo",
            )
            hand_over_file(photo, texts)
            gr.Examples([str(file) for file in EXAMPLES], photo, label=texts.EXAMPLES, api_visibility="private")
            with gr.Group(elem_classes="threshold-controls"):
                gr.HTML(f'<h2 class="section">{texts.THRESHOLD_TITLE}</h2>')
                sensitivity = sensitivity_slider(callbacks, elem_id="sensitivity")
                presets = gr.Radio(
                    [
                        (texts.PRESET.format(percent=f"{100 * target:g}"), 100 * target)
                        for target in SENSITIVITY_TARGETS
                    ],
                    value=100 * DEFAULT_SENSITIVITY,
                    label=texts.PRESETS,
                    elem_id="presets",
                )
                with gr.Row(elem_classes="numbers"):
                    number = gr.Number(
                        _shown(facts.default_threshold),
                        label=texts.THRESHOLD_NUMBER,
                        info=texts.THRESHOLD_NUMBER_INFO,
                        minimum=0,
                        maximum=100,
                        elem_id="threshold",
                    )
                    prevalence = gr.Number(
                        _in_percent(facts.prevalence),
                        label=texts.PREVALENCE,
                        info=texts.PREVALENCE_INFO.format(prevalence=percent(facts.prevalence, texts)),
                        minimum=_LEAST_PREVALENCE,
                        maximum=_MOST_PREVALENCE,
                        elem_id="prevalence",
                    )
            consequence = gr.HTML(htmls[0], elem_id="consequences")
            roc = gr.HTML(htmls[2], elem_id="roc")
        with gr.Column(scale=6, min_width=320):
            shown = gr.HTML(answer.waiting(texts), elem_id="answer")
            heat = gr.HTML("", elem_id="heat")
            with gr.Row(elem_classes="heat-controls", visible=False) as heat_controls:
                strength = gr.Slider(0, 100, _DEFAULT_STRENGTH, step=5, label=texts.HEAT_STRENGTH, scale=3)
                method = gr.Dropdown(list(METHODS), value=METHODS[0], label=texts.HEAT_METHOD, scale=2)
            with gr.Accordion(texts.REPORT, open=False, visible=False, elem_id="report") as report:
                gr.HTML(f'<p class="hint">{texts.REPORT_HINT}</p>')
                with gr.Row():
                    label = gr.Textbox(label=texts.CASE_LABEL, max_length=80, min_width=140)
                    age = gr.Textbox(label=texts.AGE, max_length=20, min_width=80)
                with gr.Row():
                    sex = gr.Textbox(label=texts.SEX, max_length=20, min_width=80)
                    site = gr.Textbox(label=texts.SITE, max_length=60, min_width=140)
                note = gr.Textbox(label=texts.CLINICIANS_NOTE, lines=3, max_length=1200)
                make_pdf = gr.Button(texts.MAKE_PDF, variant="primary", elem_id="make-pdf")
                pdf = gr.Textbox(visible=False)
            precision_recall = gr.HTML(htmls[1], elem_id="plot")
            matrix = gr.HTML(htmls[3], elem_id="confusion")

    outcome = [shown, consequence, precision_recall, roc, matrix]

    def share(prevalence_percent: float | None) -> float:
        return share_of(prevalence_percent, facts.prevalence)

    def screened(path: str | None, at: float, stated: float | None, by: str) -> dict[Any, Any]:
        new_case, verdict, picture = callbacks.screen(path, at, share(stated), by)
        return {
            case: new_case,
            shown: verdict,
            heat: picture,
            heat_controls: gr.Row(visible=bool(picture)),
            report: gr.Accordion(visible=new_case is not None),
        }

    def redrawn(current: Case | None, at: float, stated: float | None) -> Any:
        """The verdict as things stand: the slider may have moved while the model ran."""
        return gr.skip() if current is None else callbacks.verdict(current, at, share(stated))

    def follow(current: Case | None, at: float, stated: float | None) -> dict[Any, Any]:
        return {threshold: at, **dict(zip(outcome, callbacks.move(current, at, share(stated)), strict=True))}

    def number_at(at: float, stated: float | None) -> float:
        return _shown(restate(at, facts.prevalence, share(stated)))

    def moved(current: Case | None, caught: float, stated: float | None) -> dict[Any, Any]:
        at = callbacks.threshold_for(caught)
        return {
            **follow(current, at, stated),
            number: number_at(at, stated),
            presets: _preset(caught),
            other_sensitivity: caught,
        }

    def moved_elsewhere(current: Case | None, caught: float, stated: float | None) -> dict[Any, Any]:
        return {**preset(current, caught, stated), presets: _preset(caught), other_sensitivity: gr.skip()}

    def preset(current: Case | None, caught: float, stated: float | None) -> dict[Any, Any]:
        at = callbacks.threshold_for(caught)
        return {
            **follow(current, at, stated),
            number: number_at(at, stated),
            sensitivity: caught,
            other_sensitivity: caught,
        }

    def typed(current: Case | None, given: float | None, stated: float | None) -> dict[Any, Any]:
        at = facts.default_threshold
        if given is not None:
            at = restate(min(max(given / 100, 0.0), 1.0), share(stated), facts.prevalence)
        caught = _step(100 * (callbacks.point(at).sensitivity.value or 0))
        on_slider = max(caught, _LOWEST_SENSITIVITY)
        return {
            **follow(current, at, stated),
            number: number_at(at, stated) if given is None else gr.skip(),  # what was typed stays as it was typed
            sensitivity: on_slider,
            other_sensitivity: on_slider,
            presets: _preset(caught),
        }

    def restated(current: Case | None, at: float, stated: float | None) -> dict[Any, Any]:
        in_force = _in_percent(share(stated))
        return {
            **follow(current, at, stated),
            number: number_at(at, stated),
            prevalence: gr.skip() if in_force == stated else in_force,
        }

    def reported(current: Case | None, at: float, stated: float | None, by: str, *typed_in: str) -> str:
        if current is None:
            return ""
        from isic_screen.ui.pdf import Context  # see Callbacks.report

        made = callbacks.report(current, at, share(stated), by, Context(*typed_in), date.today())
        return base64.b64encode(made).decode()

    photo.change(
        screened,
        [photo, threshold, prevalence, method],
        [case, shown, heat, heat_controls, report],
        api_visibility="private",
        show_progress="minimal",
        trigger_mode="always_last",
        **MODEL_AT_ONCE,
    ).then(redrawn, [case, threshold, prevalence], shown, **QUICK).then(
        # A second look of eight more passes: is it borderline?
        callbacks.measure_spread,
        [case, photo],
        None,
        api_visibility="private",
        show_progress="hidden",
        **MODEL_AT_ONCE,
    ).then(redrawn, [case, threshold, prevalence], shown, **QUICK)
    method.input(callbacks.heat, [case, method], heat, api_visibility="private", show_progress="minimal")
    strength.change(None, strength, None, js=_SET_STRENGTH, api_visibility="private")
    controls = [threshold, number, prevalence, sensitivity, presets, other_sensitivity]
    everything = [*controls, *outcome]
    moves = [
        sensitivity.input(moved, [case, sensitivity, prevalence], everything, **QUICK),
        other_sensitivity.input(moved_elsewhere, [case, other_sensitivity, prevalence], everything, **QUICK),
        presets.input(preset, [case, presets, prevalence], everything, **QUICK),
        number.submit(typed, [case, number, prevalence], everything, **QUICK),
        gr.on([prevalence.submit, prevalence.blur], restated, [case, threshold, prevalence], everything, **QUICK),
    ]
    make_pdf.click(
        reported,
        [case, threshold, prevalence, method, label, age, sex, site, note],
        pdf,
        api_visibility="private",
        show_progress="minimal",
    ).then(None, pdf, None, js=_SAVE_PDF, api_visibility="private")
    return Threshold(threshold, prevalence, moves)


def sensitivity_slider(callbacks: Callbacks, elem_id: str, *, render: bool = True) -> gr.Slider:
    """The slider by which a threshold is chosen: melanomas to catch, in percent."""
    texts = callbacks.texts
    return gr.Slider(
        _LOWEST_SENSITIVITY,
        100,
        100 * DEFAULT_SENSITIVITY,
        step=_STEP,
        label=texts.SENSITIVITY,
        info=texts.SENSITIVITY_INFO,
        elem_id=elem_id,
        render=render,
    )


def share_of(percentage: float | None, default: float) -> float:
    """A typed prevalence as a share; an empty or impossible one is the model file's."""
    if percentage is None or percentage <= 0:
        return default
    share = min(max(percentage, _LEAST_PREVALENCE), _MOST_PREVALENCE) / 100
    return default if abs(share - default) < 1e-9 else share


def _in_percent(share: float) -> float:
    return round(100 * share, 6)  # 100 * 0.018 is 1.7999999999999998


def _shown(threshold: float) -> float:
    """A threshold in percent, as exact as a person wants to read it.

    Rounded down, never up: thresholds are the scores of melanomas, and whoever types the number that is shown must not
    lose the one that it catches.
    """
    in_percent = Decimal(100 * threshold)
    if not in_percent:
        return 0.0
    return float(in_percent.quantize(Decimal(1).scaleb(in_percent.adjusted() - 2), ROUND_FLOOR))


def _step(percentage: float) -> float:
    """The slider's step that at least this percentage reaches."""
    return _STEP * (percentage // _STEP)


def _preset(percentage: float) -> float | None:
    """The preset that the slider stands on, if it does."""
    return next((100 * target for target in SENSITIVITY_TARGETS if abs(100 * target - percentage) < 0.01), None)
