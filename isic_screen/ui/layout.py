"""The page: one photo, one answer, one slider, the rest a click away."""

from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import gradio as gr

from isic_screen.explain import METHODS
from isic_screen.operating_point import DEFAULT_SENSITIVITY, SENSITIVITY_TARGETS
from isic_screen.screener import Screener
from isic_screen.ui import answer, texts
from isic_screen.ui.about import about
from isic_screen.ui.answer import Case
from isic_screen.ui.callbacks import Callbacks

ASSETS = Path(__file__).resolve().parents[2] / "assets"
EXAMPLES = sorted((ASSETS / "examples").glob("*.jpg"))
STYLE = ASSETS / "style.css"

MAX_FILE_SIZE = "100mb"
DELETE_CACHE = (300, 900)
"""Every five minutes, delete uploads older than fifteen, in seconds."""
SESSION_SECONDS = 3600
_DEFAULT_STRENGTH = 55
_STEP = 0.5
# A picture pasted anywhere goes where a dropped one goes. And a photo that the browser cannot draw, as a TIFF, shows no
# torn picture: the answer shows what was read.
_ON_LOAD = """() => {
    document.addEventListener("paste", (event) => {
        const picture = [...event.clipboardData.files].find((file) => file.type.startsWith("image/"));
        const field = document.querySelector("#photo input[type=file]");
        if (!picture || !field) return;
        const files = new DataTransfer();
        files.items.add(picture);
        field.files = files.files;
        field.dispatchEvent(new Event("change", { bubbles: true }));
    });
    const show = (shown) => ({ target }) => {
        if (target.matches("#photo img")) target.style.visibility = shown;
    };
    document.addEventListener("error", show("hidden"), true);
    document.addEventListener("load", show(""), true);
    // On what stays: a region that comes with its text is not read out by a screen reader.
    for (const id of ["answer", "consequences"]) document.getElementById(id)?.setAttribute("aria-live", "polite");
}"""
# In the browser alone: the layer is already there, only its opacity changes.
_SET_STRENGTH = "(strength) => { document.body.style.setProperty('--heat', strength / 100); }"


def theme() -> gr.themes.Base:
    """System fonts and quiet colours: nothing is fetched from another host."""
    system = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    base = gr.themes.Base(
        primary_hue="teal", neutral_hue="slate", font=system, font_mono=["ui-monospace", "Menlo", "monospace"]
    )
    # Gradio's own hints are too pale to be read (a contrast of 2.6).
    return base.set(block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_300")


def build_page(screener: Screener) -> gr.Blocks:
    """The page around a screener; launch it with `theme()` and STYLE."""
    callbacks = Callbacks(screener)
    facts = screener.facts
    start = callbacks.point(facts.default_threshold)
    meaning, plot = callbacks.meaning(start)

    with gr.Blocks(title=texts.TITLE, analytics_enabled=False, delete_cache=DELETE_CACHE) as page:
        case = gr.State(None, time_to_live=SESSION_SECONDS)
        threshold = gr.State(facts.default_threshold)
        gr.HTML(
            f'<header><h1>{texts.TITLE}</h1><p class="subtitle">{texts.SUBTITLE}</p>'
            f'<p class="notice">{texts.NOTICE}</p></header>'
        )
        with gr.Row(elem_id="main"):
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
                _hand_over_file(photo)
                gr.Examples([str(file) for file in EXAMPLES], photo, label=texts.EXAMPLES, api_visibility="private")
                with gr.Group(elem_classes="threshold-controls"):
                    gr.HTML(f'<h2 class="section">{texts.THRESHOLD_TITLE}</h2>')
                    sensitivity = gr.Slider(
                        50,
                        100,
                        100 * DEFAULT_SENSITIVITY,
                        step=_STEP,
                        label=texts.SENSITIVITY,
                        info=texts.SENSITIVITY_INFO,
                        elem_id="sensitivity",
                    )
                    presets = gr.Radio(
                        [
                            (texts.PRESET.format(percent=f"{100 * target:g}"), 100 * target)
                            for target in SENSITIVITY_TARGETS
                        ],
                        value=100 * DEFAULT_SENSITIVITY,
                        label=texts.PRESETS,
                        elem_id="presets",
                    )
                    number = gr.Number(
                        _shown(facts.default_threshold),
                        label=texts.THRESHOLD_NUMBER,
                        info=texts.THRESHOLD_NUMBER_INFO,
                        minimum=0,
                        maximum=100,
                        elem_id="threshold",
                    )
            with gr.Column(scale=6, min_width=320):
                shown = gr.HTML(answer.waiting(), elem_id="answer")
                heat = gr.HTML("", elem_id="heat")
                with gr.Row(elem_classes="heat-controls", visible=False) as heat_controls:
                    strength = gr.Slider(0, 100, _DEFAULT_STRENGTH, step=5, label=texts.HEAT_STRENGTH, scale=3)
                    method = gr.Dropdown(list(METHODS), value=METHODS[0], label=texts.HEAT_METHOD, scale=2)

        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                consequence = gr.HTML(meaning, elem_id="consequences")
            with gr.Column(scale=6, min_width=320):
                curve = gr.HTML(plot, elem_id="plot")
        with gr.Accordion(texts.ABOUT, open=False):
            gr.HTML(about(screener.model), elem_id="about")

        def screened(path: str | None, at: float, by: str) -> tuple[Any, ...]:
            new_case, verdict, picture = callbacks.screen(path, at, by)
            return new_case, verdict, picture, gr.Row(visible=bool(picture))

        def moved(current: Case | None, percent: float) -> tuple[Any, ...]:
            at = callbacks.threshold_for(percent)
            return at, _shown(at), _preset(percent), *callbacks.move(current, at)

        def caught_up(current: Case | None, at: float) -> Any:
            return gr.skip() if current is None else callbacks.move(current, at)[0]

        def preset(current: Case | None, percent: float) -> tuple[Any, ...]:
            at = callbacks.threshold_for(percent)
            return at, _shown(at), percent, *callbacks.move(current, at)

        def typed(current: Case | None, percent: float | None) -> tuple[Any, ...]:
            at = facts.default_threshold if percent is None else min(max(percent / 100, 0.0), 1.0)
            caught = _step(100 * (callbacks.point(at).sensitivity.value or 0))
            shown_number = _shown(at) if percent is None else gr.skip()  # what was typed stays as it was typed
            return at, shown_number, max(caught, sensitivity.minimum), _preset(caught), *callbacks.move(current, at)

        photo.change(
            screened,
            [photo, threshold, method],
            [case, shown, heat, heat_controls],
            api_visibility="private",
            show_progress="minimal",
            trigger_mode="always_last",
            concurrency_limit=2,
        ).then(  # the slider may have moved while the model ran
            caught_up, [case, threshold], shown, api_visibility="private", show_progress="hidden", queue=False
        )
        method.input(callbacks.heat, [case, method], heat, api_visibility="private", show_progress="minimal")
        strength.change(None, strength, None, js=_SET_STRENGTH, api_visibility="private")
        light: dict[str, Any] = {
            "api_visibility": "private",
            "show_progress": "hidden",
            "queue": False,
            "trigger_mode": "always_last",
        }
        outcome = [shown, consequence, curve]
        sensitivity.input(moved, [case, sensitivity], [threshold, number, presets, *outcome], **light)
        presets.input(preset, [case, presets], [threshold, number, sensitivity, *outcome], **light)
        number.submit(typed, [case, number], [threshold, number, sensitivity, presets, *outcome], **light)
        page.load(None, None, None, js=_ON_LOAD, api_visibility="private")

        # For programs. Hidden fields give the endpoint its types; nobody sees them.
        with gr.Row(visible=False):
            api_photo, api_threshold, api_result = gr.File(), gr.Number(value=None), gr.JSON()
            gr.Button().click(
                callbacks.api_screen, [api_photo, api_threshold], api_result, api_name="screen", concurrency_limit=2
            )
            api_prevalence = gr.Number(value=None)
            gr.Button().click(
                callbacks.api_operating_point,
                [api_threshold, api_prevalence],
                api_result,
                api_name="operating_point",
                queue=False,
            )
            gr.Button().click(callbacks.api_model, None, api_result, api_name="model", queue=False)
    return page


def _hand_over_file(photo: gr.Image) -> None:
    """Let the callbacks get the file as it was uploaded, unread.

    Gradio itself would open the picture first, and answer a file it cannot read with an error of its own; photo.py is
    to be the only place that decodes. Overridden on the one instance, as a subclass makes Gradio write files of its own
    beside this one.

    Gradio checks that a path is one of an upload only where the request marks it as a file, and a request made by hand
    need not; without the check here, a visitor could have any picture on the server shown.
    """
    as_gradio_does = photo.preprocess
    uploads = Path(photo.GRADIO_CACHE).resolve()

    def preprocess(payload: Any) -> Any:
        if payload is None or payload.path is None:
            return as_gradio_does(payload)  # a data URI, as some browsers paste
        if not Path(payload.path).resolve().is_relative_to(uploads):
            raise gr.Error(texts.NOT_UPLOADED)
        return payload.path

    photo.preprocess = preprocess  # type: ignore[method-assign]


def _shown(threshold: float) -> float:
    """A threshold in percent, as exact as a person wants to read it.

    Rounded down, never up: thresholds are the scores of melanomas, and whoever types the number that is shown must not
    lose the one that it catches.
    """
    in_percent = Decimal(100 * threshold)
    if not in_percent:
        return 0.0
    return float(in_percent.quantize(Decimal(1).scaleb(in_percent.adjusted() - 2), ROUND_FLOOR))


def _step(percent: float) -> float:
    """The slider's step that at least this percentage reaches."""
    return _STEP * (percent // _STEP)


def _preset(percent: float) -> float | None:
    """The preset that the slider stands on, if it does."""
    return next((100 * target for target in SENSITIVITY_TARGETS if abs(100 * target - percent) < 0.01), None)
