"""The tab for one photo: the photo, its answer and heat map, and the threshold with what it means."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from isic_screen.explain import METHODS
from isic_screen.ui import answer
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.clock import visitors_time
from isic_screen.ui.controls import PARTS, Controls, controls
from isic_screen.ui.desk import Desk
from isic_screen.ui.newest import QUICK, Asked, Question, Questions, name_of
from isic_screen.ui.report_form import ReportForm, report_form
from isic_screen.ui.threshold import chosen
from isic_screen.ui.uploads import hand_over_file

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "assets" / "examples").glob("*.jpg"))

SESSION_SECONDS = 3600
"""How long a visitor's case is kept in memory, at most."""
MODEL_AT_ONCE: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "model"}
"""How often the network runs side by side, over all visitors and tabs."""
REAR_CAMERA = gr.WebcamOptions(mirror=False, constraints={"video": {"facingMode": {"ideal": "environment"}}})
"""The camera that looks at the lesion; and a mirrored photo would be another lesion."""

_DEFAULT_STRENGTH = 55
# In the browser alone: the layer is already there, only its opacity changes.
_SET_STRENGTH = "(strength) => { document.body.style.setProperty('--heat', strength / 100); }"
_SHOW = "(photo, ...typed) => window.isicScreen.show(photo, {cards}, {parts}, typed)"
_ASK_ABOUT = "(asked, photo, ...rest) => [window.isicScreen.ask(photo), photo, ...rest]"


@dataclass(frozen=True)
class _Parts:
    """The components of the tab beside the controls."""

    photo: gr.Image
    verdict: gr.HTML
    heat: gr.HTML
    heat_controls: gr.Row
    method: gr.Dropdown
    report: ReportForm
    meaning: list[gr.HTML]
    """In the order of Callbacks.meaning."""


def photo_tab(callbacks: Callbacks, questions: Questions, elsewhere: gr.Slider) -> Controls:
    """The components and events of the tab, inside the tab's context. The slider `elsewhere` follows and leads too."""
    desk = gr.State(Desk(), time_to_live=SESSION_SECONDS)
    parts, choices = _components(callbacks, elsewhere)
    _on_photo(callbacks, questions, desk, parts)
    _on_choice(callbacks, questions, desk, parts, choices)
    _on_report(callbacks, questions, desk, parts)
    return choices


def _components(callbacks: Callbacks, elsewhere: gr.Slider) -> tuple[_Parts, Controls]:
    texts, facts = callbacks.texts, callbacks.screener.facts
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
                webcam_options=REAR_CAMERA,
            )
            hand_over_file(photo, texts)
            gr.Examples([str(file) for file in EXAMPLES], photo, label=texts.EXAMPLES, api_visibility="private")
            choices = controls(callbacks, elsewhere)
            consequence = gr.HTML(htmls[0], elem_id="consequences")
            roc = gr.HTML(htmls[2], elem_id="roc")
        with gr.Column(scale=6, min_width=320):
            verdict = gr.HTML(answer.waiting(texts), elem_id="answer")
            heat = gr.HTML("", elem_id="heat")
            with gr.Row(elem_classes="heat-controls", visible=False) as heat_controls:
                strength = gr.Slider(0, 100, _DEFAULT_STRENGTH, step=5, label=texts.HEAT_STRENGTH, scale=3)
                method = gr.Dropdown(list(METHODS), value=METHODS[0], label=texts.HEAT_METHOD, scale=2)
            form = report_form(texts)
            precision_recall = gr.HTML(htmls[1], elem_id="plot")
            matrix = gr.HTML(htmls[3], elem_id="confusion")
    strength.change(None, strength, None, js=_SET_STRENGTH, api_visibility="private")
    meaning = [consequence, precision_recall, roc, matrix]
    return _Parts(photo, verdict, heat, heat_controls, method, form, meaning), choices


def _redrawn(callbacks: Callbacks, parts: _Parts, asked: Asked, on: Desk) -> dict[Any, Any]:
    """The verdict as things stand; nothing while the photo that is shown has no answer yet."""
    if on.holds(asked):
        now = chosen(asked, callbacks)
        return {parts.verdict: callbacks.verdict(on.case, now.threshold, now.prevalence) if on.case else on.card}
    return {parts.verdict: answer.forgotten(callbacks.texts)} if on.forgotten(asked) else {}


def _on_photo(callbacks: Callbacks, questions: Questions, desk: gr.State, parts: _Parts) -> None:
    """What a photo sets off: the old answer is gone at once, and the new one comes with its heat map."""
    texts, form = callbacks.texts, parts.report
    answered = [parts.verdict, parts.heat, parts.heat_controls, form.box]

    def screened(asked: Asked, path: str | None, by: str) -> dict[Any, Any]:
        now = chosen(asked, callbacks)
        case, card, picture = callbacks.screen(path, now.threshold, now.prevalence, by)
        return {
            desk: Desk(asked.photo, path, case, card),
            parts.verdict: card,
            parts.heat: picture,
            parts.heat_controls: gr.update(visible=bool(picture)),
            form.box: gr.update(visible=case is not None),
            "screened": asked.photo,
        }

    def redrawn(asked: Asked, on: Desk) -> dict[Any, Any]:
        return _redrawn(callbacks, parts, asked, on)

    def look_again(asked: Asked, on: Desk) -> dict[Any, Any]:
        """A second look of eight more passes: is it borderline?"""
        if on.holds(asked):
            callbacks.measure_spread(on.case, on.path)
        return {}

    def mapped(asked: Asked, on: Desk, by: str) -> dict[Any, Any]:
        if on.forgotten(asked):
            hidden = gr.update(visible=False)
            return {parts.verdict: answer.forgotten(texts), parts.heat: "", parts.heat_controls: hidden}
        return {parts.heat: callbacks.heat(on.case, by)} if on.holds(asked) else {}

    cards = json.dumps([answer.waiting(texts), answer.under_way(texts)])
    names = [name_of(part) for part in answered]
    shown = _SHOW.format(cards=cards, parts=names)
    parts.photo.change(
        None,
        [parts.photo, *form.typed],
        [*answered, *form.typed, form.note],
        js=shown,
        api_visibility="private",
        trigger_mode="multiple",
    )
    on_model: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "always_last", **MODEL_AT_ONCE}
    screening = questions.ask(
        parts.photo.change,
        screened,
        [parts.photo, parts.method],
        [desk, *answered],
        _ASK_ABOUT,
        show_progress="minimal",
        show_progress_on=parts.verdict,
        **on_model,
    )
    failed = f"() => window.isicScreen.fail({json.dumps(answer.failed(texts))})"
    screening.event.failure(None, None, parts.verdict, js=failed, api_visibility="private")
    once = questions.ask(screening.answered.success, redrawn, [desk], [parts.verdict], **QUICK)
    twice = questions.ask(once.answered.success, look_again, [desk], [], show_progress="hidden", **on_model)
    questions.ask(twice.answered.success, redrawn, [desk], [parts.verdict], **QUICK)
    # The report is of the method that is chosen.
    parts.method.input(None, None, None, js="() => window.isicScreen.change('method')", api_visibility="private")
    questions.ask(
        parts.method.input,
        mapped,
        [desk, parts.method],
        [parts.heat, parts.verdict, parts.heat_controls],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=parts.heat,
        trigger_mode="always_last",
    )


def _on_choice(callbacks: Callbacks, questions: Questions, desk: gr.State, parts: _Parts, choices: Controls) -> None:
    """What threshold and prevalence set off: arithmetic, and never the model."""
    texts = callbacks.texts

    def follow(asked: Asked, on: Desk) -> dict[Any, Any]:
        now = chosen(asked, callbacks)
        meaning = callbacks.meaning(now.threshold, now.prevalence)
        return {
            **dict(zip(parts.meaning, meaning, strict=True)),
            **_redrawn(callbacks, parts, asked, on),
            **(choices.show(now, texts) if asked.choices else {}),  # a field that was only left stays as it was typed
            "in_force": now.held.model_dump(),
        }

    def moved(*given: Any, **how: Any) -> Any:
        return gr.on(choices.moves, *given, **how)

    following = questions.ask(moved, follow, [desk], [*choices.parts, parts.verdict, *parts.meaning], **QUICK)
    behind = f"() => window.isicScreen.behind({json.dumps(answer.not_updated(texts))})"
    following.event.failure(None, None, [parts.verdict, parts.meaning[0]], js=behind, api_visibility="private")


def _on_report(callbacks: Callbacks, questions: Questions, desk: gr.State, parts: _Parts) -> None:
    texts, form = callbacks.texts, parts.report

    def reported(asked: Asked, on: Desk, by: str, *context: str) -> dict[Any, Any]:
        if not on.holds(asked) or on.case is None:
            return {parts.verdict: answer.forgotten(texts)} if on.forgotten(asked) else {}
        from isic_screen.ui.pdf import Context  # see Callbacks.report

        now = chosen(asked, callbacks)
        when = visitors_time(asked.clock)
        made = callbacks.report(on.case, now.threshold, now.prevalence, by, Context(*context), when)
        return {"file": base64.b64encode(made).decode()}

    making = questions.ask(
        form.make.click,
        reported,
        [desk, parts.method, *form.typed],
        [parts.verdict],
        api_visibility="private",
        show_progress="minimal",
        show_progress_on=form.note,
    )
    save(making, form.note, "isic-screen-report.pdf", "application/pdf", [*PARTS, "photo", "method", "report"], texts)


def save(made: Question, note: gr.HTML, name: str, kind: str, rests_on: list[str], texts: Any) -> None:
    """Save the file that an answer holds, unless a part of the page that it rests on has changed meanwhile."""
    sentence = json.dumps(f'<p class="number-note" role="alert">{texts.NOT_SAVED}</p>')
    script = f"(answer) => window.isicScreen.save(answer, '{name}', '{kind}', {rests_on}) ? '' : {sentence}"
    made.answered.success(None, made.held, note, js=script, api_visibility="private")
