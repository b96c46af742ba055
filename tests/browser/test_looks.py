"""On paper, in a high-contrast theme and at 400 %: what the page says can still be seen."""

import io
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from pypdf import PdfReader

from isic_screen.ui.texts import Texts
from tests.browser.conftest import PATIENCE_MS, upload
from tests.conftest import ROOT

texts = Texts()
EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"
_WATCH = """() => {
    const paper = () => getComputedStyle(document.querySelector('#consequences .card')).backgroundColor;
    window.onScreen = paper();
    addEventListener('beforeprint', () => { window.printed = paper(); });
}"""


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """The page with an answer, in a browser that is set in some way."""
    contexts = []

    def open_it(**settings: Any) -> Page:
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        page.wait_for_selector("#photo input[type=file]", state="attached")
        upload(page, EXAMPLE)
        return page

    yield open_it
    for context in contexts:
        context.close()


def test_a_dark_page_is_printed_light_and_whole(opened):
    page = opened(color_scheme="dark")
    page.evaluate(_WATCH)
    printed = page.pdf()
    assert page.evaluate("window.onScreen") != "rgb(255, 255, 255)"
    assert page.evaluate("window.printed") == "rgb(255, 255, 255)"
    expect(page.locator("body")).to_have_class(re.compile("dark"))  # as it was before
    said = _packed("".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(printed)).pages))
    for sentence in (texts.REFER_WHY.partition("{")[0], texts.ROC_CAPTION, texts.CONFUSION_CAPTION):
        assert _packed(sentence) in said


def test_choices_and_legends_are_seen_in_a_high_contrast_theme(opened):
    page = opened(forced_colors="active")
    chosen, other = (page.locator("#presets input").nth(number) for number in (1, 0))
    expect(chosen).to_be_checked()
    assert np.abs(_pixels(chosen) - _pixels(other)).max() > 100
    selected, not_selected = (page.get_by_role("tab", name=name) for name in (texts.TAB_PHOTO, texts.TAB_ABOUT))
    assert _lines(selected) > _lines(not_selected)
    legend = [_pixels(mark)[4, 4] for mark in page.locator("#consequences .legend i").all()]
    for one, another in itertools.combinations(legend, 2):
        assert np.abs(one - another).max() > 40
    for field in ("#threshold input", "#prevalence input"):
        assert _lines(page.locator(field)) > 0


def test_at_400_percent_no_tick_of_the_scale_covers_another(opened):
    page = opened(viewport={"width": 320, "height": 500})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    ticks = [tick.bounding_box() for tick in page.locator("#answer .tick:visible").all()]
    assert len(ticks) >= 2
    for left, right in itertools.pairwise(ticks):
        assert left["x"] + left["width"] <= right["x"]


def test_a_tall_photo_and_its_heat_map_fit_on_the_screen_and_on_one_another(opened, tmp_path):
    page = opened(viewport={"width": 1280, "height": 900})
    with Image.open(EXAMPLE) as drawn:
        drawn.resize((200, 1800)).save(tmp_path / "tall.jpg")
    before = page.inner_text("#answer .figure")
    page.set_input_files("#photo input[type=file]", str(tmp_path / "tall.jpg"))
    expect(page.locator("#answer .figure")).not_to_have_text(before)
    expect(page.locator("#heat .pictures")).to_have_attribute("style", re.compile(r"0\.11"))  # the map of this photo
    photo, layer = page.wait_for_function(_BOTH_DRAWN).json_value()
    assert photo == layer
    assert 400 < photo["height"] <= 900
    assert photo["width"] / photo["height"] == pytest.approx(200 / 1800, rel=0.02)


# The places of both at one moment, as Gradio may put in the same pictures once more.
_BOTH_DRAWN = """() => {
  const pictures = [...document.querySelectorAll("#heat .pictures img")];
  const drawn = pictures.length === 2 && pictures.every((picture) => picture.complete && picture.clientHeight > 0);
  return drawn && pictures.map((picture) => picture.getBoundingClientRect().toJSON());
}"""


def _packed(text: str) -> str:
    """Text without white space and ligatures."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def _pixels(place: Locator) -> np.ndarray:
    """The middle of it: a box that does not begin with a pixel is a pixel larger."""
    seen = np.asarray(Image.open(io.BytesIO(place.screenshot())).convert("RGB"), dtype=int)
    return seen[seen.shape[0] // 2 - 4 :, seen.shape[1] // 2 - 4 :][:8, :8]


def _lines(place: Locator) -> float:
    """Pixels of a border below."""
    return float(place.evaluate("place => parseFloat(getComputedStyle(place).borderBottomWidth)"))
