"""The tab for one photo: the photo, its answer and heat map, and the threshold with what it means."""

import base64
from pathlib import Path
from typing import Any

import gradio as gr

from isic_screen.explain import METHODS
from isic_screen.operating_point import DEFAULT_SENSITIVITY, SENSITIVITY_TARGETS, restate
from isic_screen.ui import answer
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.clock import CLOCK_LAST, visitors_time
from isic_screen.ui.desk import Desk
from isic_screen.ui.numbers import localised, percent
from isic_screen.ui.threshold import (
    LEAST_PREVALENCE,
    MOST_PREVALENCE,
    WITHIN_SLIDER,
    Threshold,
    as_shown,
    in_percent,
    preset_at,
    sensitivity_slider,
    share_of,
    slider_step,
)
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
# In the browser alone: the layer is already there, only its opacity changes.
_SET_STRENGTH = "(strength) => { document.body.style.setProperty('--heat', strength / 100); }"
_SAVE_PDF = "(pdf) => window.isicScreenSave(pdf, 'isic-screen-report.pdf', 'application/pdf')"


def photo_tab(callbacks: Callbacks, other_sensitivity: gr.Slider) -> Threshold:
    """The components and events of the tab, inside the tab's context. `other_sensitivity` follows and leads as well."""
    texts, facts = callbacks.texts, callbacks.screener.facts
    desk = gr.State(Desk(answer.waiting(texts)), time_to_live=SESSION_SECONDS)
    # Kept by the page: so what holds is what the page shows, though the server may have forgotten all.
    threshold = gr.Number(facts.default_threshold, visible=False)
    in_force = gr.Number(facts.prevalence, visible=False)
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
                sensitivity = sensitivity_slider(texts, elem_id="sensitivity")
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
                        as_shown(facts.default_threshold),
                        label=texts.THRESHOLD_NUMBER,
                        info=texts.THRESHOLD_NUMBER_INFO,
                        elem_id="threshold",
                    )
                    prevalence = gr.Number(
                        in_percent(facts.prevalence),
                        label=texts.PREVALENCE,
                        info=texts.PREVALENCE_INFO.format(
                            prevalence=percent(facts.prevalence, texts),
                            least=localised(f"{LEAST_PREVALENCE:g}", texts),
                            most=localised(f"{MOST_PREVALENCE:g}", texts),
                        ),
                        elem_id="prevalence",
                    )
            consequence = gr.HTML(htmls[0], elem_id="consequences")
            roc = gr.HTML(htmls[2], elem_id="roc")
        with gr.Column(scale=6, min_width=320):
            verdict = gr.HTML(answer.waiting(texts), elem_id="answer")
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

    typed_in = [label, age, sex, site, note]
    outcome = [consequence, precision_recall, roc, matrix]

    def share(prevalence_percent: float | None) -> float:
        return share_of(prevalence_percent, facts.prevalence)

    def cleared(on: Desk, path: str | None, card: str, typed: tuple[str, ...]) -> dict[Any, Any]:
        """Nothing is left of the photo before: not its case, its heat map, nor what was typed for its report.

        A field that is empty is given nothing: what Gradio is told of a closed report's fields, it puts in shortly
        after they have appeared, over what was typed there meanwhile.
        """
        on.path, on.case, on.card = path, None, answer.waiting(texts) if path is None else card
        return {
            desk: on,
            verdict: on.card,
            heat: "",
            heat_controls: gr.Row(visible=False),
            report: gr.Accordion(visible=False),
            **{field: "" for field, text in zip(typed_in, typed, strict=True) if text},
        }

    def taken(on: Desk, path: str | None, *typed: str) -> dict[Any, Any]:
        return cleared(on, path, answer.under_way(texts), typed)

    def failed(on: Desk, path: str | None, *typed: str) -> dict[Any, Any]:
        return cleared(on, path, answer.failed(texts), typed)

    def screened(on: Desk, path: str | None, at: float, stated: float | None, by: str) -> dict[Any, Any]:
        case, card, picture = callbacks.screen(path, at, share(stated), by)
        if on.path not in ("", path):  # another photo came meanwhile, and its answer is on the way
            return {desk: gr.skip()}
        on.case, on.card = case, card if case is None else on.card
        return {
            desk: on,
            verdict: card,
            heat: picture,
            heat_controls: gr.Row(visible=bool(picture)),
            report: gr.Accordion(visible=case is not None),
        }

    def look_again(on: Desk, path: str | None) -> None:
        """A second look of eight more passes: is it borderline?"""
        if on.path == path:
            callbacks.measure_spread(on.case, path)

    def redrawn(on: Desk, shown: str, at: float, stated: float | None) -> str:
        """The verdict as things stand: the slider may have moved while the model ran. `shown` is the page's card."""
        if on.case is not None:
            return callbacks.verdict(on.case, at, share(stated))
        return answer.forgotten(texts) if on.forgotten(shown) else on.card

    def mapped(on: Desk, shown: str, by: str) -> dict[Any, Any]:
        if on.forgotten(shown):
            return {verdict: answer.forgotten(texts), heat: "", heat_controls: gr.Row(visible=False)}
        return {heat: on.heat(callbacks, by)}

    def follow(on: Desk, shown: str, at: float, stated: float | None) -> dict[Any, Any]:
        meaning = zip(outcome, callbacks.meaning(at, share(stated)), strict=True)
        return {threshold: at, verdict: redrawn(on, shown, at, stated), **dict(meaning)}

    def number_at(at: float, stated: float | None) -> float:
        return as_shown(restate(at, facts.prevalence, share(stated)))

    def chosen(on: Desk, shown: str, caught: float, stated: float | None) -> dict[Any, Any]:
        at = callbacks.threshold_for(caught)
        return {
            **follow(on, shown, at, stated),
            number: number_at(at, stated),
            presets: preset_at(caught),
            sensitivity: caught,
            other_sensitivity: caught,
        }

    def moved(on: Desk, shown: str, caught: float, stated: float | None) -> dict[Any, Any]:
        return {**chosen(on, shown, caught, stated), sensitivity: gr.skip()}  # it may have moved on

    def moved_elsewhere(on: Desk, shown: str, caught: float, stated: float | None) -> dict[Any, Any]:
        return {**chosen(on, shown, caught, stated), other_sensitivity: gr.skip()}

    def typed(on: Desk, shown: str, given: float | None, at: float, stated: float | None) -> dict[Any, Any]:
        if given == number_at(at, stated):  # left as it was; it is rounded, and the threshold in force is not
            return {number: gr.skip()}
        at = facts.default_threshold
        if given is not None:
            at = restate(min(max(given / 100, 0.0), 1.0), share(stated), facts.prevalence)
        on_slider = slider_step(100 * (callbacks.point(at).sensitivity.value or 0))
        possible = given is not None and 0 <= given <= 100
        return {
            **follow(on, shown, at, stated),
            number: gr.skip() if possible else number_at(at, stated),  # what was typed stays as it was typed
            sensitivity: on_slider,
            other_sensitivity: on_slider,
            presets: preset_at(on_slider),
        }

    def restated(on: Desk, shown: str, at: float, before: float, stated: float | None) -> dict[Any, Any]:
        now, possible = share(stated), in_percent(share(stated))
        corrected = {prevalence: gr.skip() if possible == stated else possible}
        if now == before:  # the field was only left: the one that was gone to must not be written over
            return corrected
        return {**corrected, **follow(on, shown, at, stated), in_force: now, number: number_at(at, stated)}

    def reported(on: Desk, at: float, stated: float | None, by: str, *given: str) -> dict[Any, Any]:
        if on.case is None:
            return {pdf: "", verdict: answer.forgotten(texts)}
        from isic_screen.ui.pdf import Context  # see Callbacks.report

        *context, now = given
        made = callbacks.report(on.case, at, share(stated), by, Context(*context), visitors_time(now))
        return {pdf: base64.b64encode(made).decode()}

    answered = [desk, verdict, heat, heat_controls, report]
    of_a_photo = [*answered, *typed_in]
    # Gradio begins a listener when the one before has ended: so the old answer is gone before the new photo waits.
    taking = photo.change(taken, [desk, photo, *typed_in], of_a_photo, **QUICK)
    screening = photo.change(
        screened,
        [desk, photo, threshold, prevalence, method],
        answered,
        api_visibility="private",
        show_progress="minimal",
        trigger_mode="always_last",
        **MODEL_AT_ONCE,
    )
    for event in (taking, screening):
        event.failure(failed, [desk, photo, *typed_in], of_a_photo, **QUICK)
    screening.then(redrawn, [desk, verdict, threshold, prevalence], verdict, **QUICK).then(
        look_again,
        [desk, photo],
        None,
        api_visibility="private",
        show_progress="hidden",
        trigger_mode="always_last",
        **MODEL_AT_ONCE,
    ).then(redrawn, [desk, verdict, threshold, prevalence], verdict, **QUICK)
    method.input(
        mapped,
        [desk, verdict, method],
        [heat, verdict, heat_controls],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=heat,
        trigger_mode="always_last",
    )
    strength.change(None, strength, None, js=_SET_STRENGTH, api_visibility="private")
    controls = [threshold, in_force, number, prevalence, sensitivity, presets, other_sensitivity]
    everything = [*controls, verdict, *outcome]
    moves = [
        sensitivity.input(moved, [desk, verdict, sensitivity, prevalence], everything, js=WITHIN_SLIDER, **QUICK),
        other_sensitivity.input(
            moved_elsewhere, [desk, verdict, other_sensitivity, prevalence], everything, js=WITHIN_SLIDER, **QUICK
        ),
        presets.input(chosen, [desk, verdict, presets, prevalence], everything, **QUICK),
        gr.on([number.submit, number.blur], typed, [desk, verdict, number, threshold, prevalence], everything, **QUICK),
        gr.on(
            [prevalence.submit, prevalence.blur],
            restated,
            [desk, verdict, threshold, in_force, prevalence],
            everything,
            **QUICK,
        ),
    ]
    make_pdf.click(
        reported,
        [desk, threshold, prevalence, method, *typed_in, pdf],
        [pdf, verdict],
        js=CLOCK_LAST,
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=pdf,
    ).then(None, pdf, None, js=_SAVE_PDF, api_visibility="private")
    return Threshold(threshold, prevalence, moves)
