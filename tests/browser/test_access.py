"""The page on a narrow phone, and by the keyboard: nothing scrolls sideways, and the focus can be seen."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page

from isic_screen.ui.texts import LANGUAGES, Texts
from tests.browser.conftest import PATIENCE_MS, upload
from tests.conftest import ROOT

EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"
WIDTHS = (390, 360, 320)


def _opened(browser: Browser, address: str, **options: object) -> Page:
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.wait_for_selector("#photo input[type=file]", state="attached")
    return page


def _open_tab(page: Page, name: str) -> None:
    """By its button, or by the menu that a phone has for those without room."""
    tab = page.get_by_role("tab", name=name)
    if not tab.is_visible():
        page.locator(".overflow-menu > button").click()
        tab = page.locator(".overflow-dropdown button", has_text=name)
    tab.click()


@pytest.mark.parametrize("texts", LANGUAGES, ids=lambda texts: texts.LANGUAGE)
def test_a_phone_never_scrolls_sideways(browser: Browser, address: str, texts: Texts) -> None:
    language = "" if texts is LANGUAGES[0] else texts.LANGUAGE
    page = _opened(browser, f"{address}/{language}", viewport={"width": 390, "height": 844})
    upload(page, EXAMPLE)
    page.wait_for_selector("#heat .layer")
    for tab in (texts.TAB_PHOTO, texts.TAB_BATCH, texts.TAB_ABOUT):
        _open_tab(page, tab)
        if tab == texts.TAB_ABOUT:
            for summary in page.locator("#about summary").all():
                summary.click()
            assert page.locator("#about .groups").first.is_visible()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 844})
            page.wait_for_timeout(200)  # for Gradio to lay out the tabs
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (tab, width)
    page.context.close()


@pytest.fixture(params=["light", "dark"])
def page_in_colours(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Page]:
    page = _opened(browser, address, viewport={"width": 1280, "height": 900}, color_scheme=request.param)
    yield page
    page.context.close()


def test_the_keyboards_focus_can_be_seen(page_in_colours: Page) -> None:
    page = page_in_colours
    upload(page, EXAMPLE)
    for place in (
        "#sensitivity input[type=range]",
        ".heat-controls input[type=range]",
        "#presets input[type=radio] >> nth=0",
        "#threshold input",
        "#prevalence input",
    ):
        field = page.locator(place)
        assert _outline(field) == ("none", 0.0), place
        page.keyboard.press("Shift")  # so that the browser knows: it is the keyboard that is in use
        field.focus()
        style, width = _outline(field)
        assert style == "solid", place
        assert width >= 2, place
        colour = field.evaluate("field => getComputedStyle(field).outlineColor")
        assert _contrast(colour, page.evaluate("getComputedStyle(document.body).backgroundColor")) >= 3, place


def test_a_sliders_thumb_has_an_edge(page_in_colours: Page) -> None:
    rules = page_in_colours.evaluate(
        """() => [...document.styleSheets].flatMap(sheet => [...sheet.cssRules]).map(rule => rule.cssText)
            .filter(rule => rule.includes('slider-thumb') && rule.includes('!important'))"""
    )
    assert any("border: 2px solid" in rule for rule in rules)


def _outline(field: Locator) -> tuple[str, float]:
    style, width = field.evaluate(
        "field => { const now = getComputedStyle(field); return [now.outlineStyle, now.outlineWidth]; }"
    )
    return style, 0.0 if style == "none" else float(width.removesuffix("px"))


def _contrast(colour: str, behind: str) -> float:
    """WCAG contrast of two colours."""

    def luminance(of: str) -> float:
        channels = [float(value) / 255 for value in re.findall(r"[\d.]+", of)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(colour), luminance(behind)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
