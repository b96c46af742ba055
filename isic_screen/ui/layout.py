"""The page: one photo, one answer, one slider, the rest a click away."""

from pathlib import Path

import gradio as gr

from isic_screen.screener import Screener
from isic_screen.ui.about import about
from isic_screen.ui.api import endpoints
from isic_screen.ui.batch_tab import batch_tab
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.controls import sensitivity_slider
from isic_screen.ui.newest import Questions
from isic_screen.ui.photo_tab import SESSION_SECONDS, photo_tab
from isic_screen.ui.texts import LANGUAGES, Texts
from isic_screen.ui.uploads import count_inputs, files_alone

ASSETS = Path(__file__).resolve().parents[2] / "assets"
STYLES = sorted(ASSETS.glob("*.css"))

MAX_FILE_SIZE = "100mb"
DELETE_CACHE = (300, 900)
"""Every five minutes, delete uploads older than fifteen, in seconds: for `serving.cleaning`, as Gradio's own sweep is
weaker."""


def theme() -> gr.themes.Base:
    """System fonts and quiet colours: nothing is fetched from another host."""
    system = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    base = gr.themes.Base(
        primary_hue="teal", neutral_hue="slate", font=system, font_mono=["ui-monospace", "Menlo", "monospace"]
    )
    # Gradio's own hints, buttons, tabs and links are too pale to be read (contrasts of 2.5 to 4).
    return base.set(
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        color_accent="*primary_700",
        link_text_color_dark="*secondary_300",
        link_text_color_hover_dark="*secondary_200",
        link_text_color_visited_dark="*secondary_300",
        link_text_color_active_dark="*secondary_300",
    )


def build_page(screener: Screener) -> gr.Blocks:
    """The page around a screener, in English and at an address of its own for every other language.

    Launch it with `theme()` and STYLES.
    """
    files_alone()
    first, *others = LANGUAGES
    with gr.Blocks(title=first.TITLE, analytics_enabled=False) as page:
        _fill(page, Callbacks(screener, first))
        endpoints(screener, first)
    for texts in others:
        with page.route(texts.LANGUAGE_NAME, texts.LANGUAGE):
            _fill(page, Callbacks(screener, texts))
    count_inputs(page)
    return page


def _fill(page: gr.Blocks, callbacks: Callbacks) -> None:
    texts = callbacks.texts
    gr.Navbar(main_page_name=LANGUAGES[0].LANGUAGE_NAME)
    gr.HTML(_header(texts))
    questions = Questions()
    with gr.Tabs():
        elsewhere = sensitivity_slider(texts, elem_id="batch-sensitivity", render=False)
        with gr.Tab(texts.TAB_PHOTO):
            choices = photo_tab(callbacks, questions, elsewhere)
        with gr.Tab(texts.TAB_BATCH, elem_id="many-photos"):
            elsewhere.render()
            batch_tab(callbacks, questions, choices)
        with gr.Tab(texts.TAB_ABOUT):
            gr.HTML(about(callbacks.screener.model, texts), elem_id="about")
    page.load(None, None, None, js=_on_load(texts), api_visibility="private")


def _header(texts: Texts) -> str:
    return (
        f'<header><h1>{texts.TITLE}</h1><p class="subtitle">{texts.SUBTITLE}</p>'
        f'<p class="notice">{texts.NOTICE}</p><p class="hint">{kept(texts)}</p></header>'
    )


def kept(texts: Texts) -> str:
    """How long the server keeps anything of a visitor, in the one sentence that page and documents have for it."""
    return texts.KEPT.format(upload=sum(DELETE_CACHE) // 60, answer=SESSION_SECONDS // 60)


def _on_load(texts: Texts) -> str:
    newest, page = ((ASSETS / name).read_text(encoding="utf-8").strip() for name in ("newest.js", "page.js"))
    return f'() => {{ ({newest})(); ({page})("{texts.LANGUAGE}", "{texts.EXAMPLE}"); }}'
