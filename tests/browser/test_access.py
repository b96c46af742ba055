"""The page for everyone: on a narrow phone, by the keyboard, and to those who see little or nothing."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from isic_screen.ui.texts import LANGUAGES, Texts
from tests.browser.conftest import PATIENCE_MS, open_batch, upload
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


def test_everything_can_be_reached_by_keyboard(page: Page) -> None:
    upload(page, EXAMPLE)
    wanted = {
        "#photo",
        "#sensitivity",
        "#presets",
        "#threshold",
        "#prevalence",
        "#heat .swipe",
        "#heat .save",
        "#report",
    }
    reached = set()
    page.locator("body").press("Tab")
    for _ in range(80):
        reached |= set(
            page.evaluate("wanted => wanted.filter(s => document.activeElement?.closest(s))", sorted(wanted))
        )
        if reached == wanted:
            break
        page.keyboard.press("Tab")
    assert reached == wanted


def test_axe_finds_no_serious_fault(page_in_colours: Page, tmp_path: Path) -> None:
    page = page_in_colours
    broken = tmp_path / "broken.jpg"
    broken.write_text("Dear colleague,")
    upload(page, EXAMPLE)
    found = _serious_faults(page)
    open_batch(page, [EXAMPLE, EXAMPLE.with_name("synthetic-naevus.jpg"), broken])
    expect(page.get_by_text(Texts.BATCH_DONE.format(photos=3))).to_be_visible()
    page.locator("#batch-table [data-photo]").first.click()
    found += _serious_faults(page)
    page.get_by_role("tab", name=Texts.TAB_ABOUT).click()
    found += _serious_faults(page)
    assert not found, json.dumps(found, indent=1)


def _serious_faults(page: Page) -> list[dict[str, object]]:
    page.wait_for_timeout(700)  # Gradio's fades: contrast is measured on what has arrived
    return [
        {"rule": fault["id"], "where": [node["target"] for node in fault["nodes"]][:5]}
        for fault in Axe().run(page).response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


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
