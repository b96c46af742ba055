"""The page in headless Chromium, used as a clinician would."""

import base64
import io
import itertools
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from isic_screen import Screener, open_photo
from isic_screen.ui.numbers import percent
from isic_screen.ui.texts import Texts
from isic_screen.ui.threshold import slider_step
from tests.browser.conftest import ready, upload
from tests.conftest import ROOT, SHARED_DATA

texts = Texts()
EXAMPLES = ROOT / "assets" / "examples"


def _a_photo() -> Path:
    """A real photo at the camera's own resolution where there is one, else a drawn one."""
    real = SHARED_DATA / "photos" / "ISIC_0000390.jpg"
    return real if real.is_file() else EXAMPLES / "synthetic-irregular-lesion.jpg"


def test_a_photo_gives_quality_verdict_probability_and_heat_map(page: Page, bundled_model):
    upload(page, _a_photo())
    expected = Screener(bundled_model).screen(open_photo(_a_photo()))
    expect(page.locator("#answer .figure")).to_have_text(percent(expected.probability, texts))
    flagged = expected.flagged(bundled_model.facts.default_threshold)
    expect(page.locator("#answer .verdict")).to_contain_text(texts.REFER if flagged else texts.BELOW)
    expect(page.locator("#answer .quality")).to_contain_text(texts.PHOTO_FIT)
    expect(page.locator("#answer .scale")).to_be_visible()
    expect(page.locator("#heat .layer")).to_be_visible()
    page.wait_for_function("[...document.querySelectorAll('#heat img')].every(i => i.complete && i.naturalWidth > 100)")
    assert page.faults == []  # type: ignore[attr-defined]


def test_answer_and_consequences_are_read_out_when_they_change(page: Page):
    for place in ("#answer", "#consequences"):
        expect(page.locator(place)).to_have_attribute("aria-live", "polite")


def test_the_slider_moves_numbers_plot_and_answer_without_the_model(page: Page):
    upload(page, _a_photo())
    probability = page.inner_text("#answer .figure")
    heat = page.get_attribute("#heat .layer", "src")
    sentence, plot = page.inner_text("#consequences .sentence"), page.inner_html("#plot")
    assert page.input_value("#sensitivity input[type=number]") == "95"

    page.fill("#sensitivity input[type=range]", "60")
    expect(page.locator("#consequences .tile").first).to_contain_text("60")
    assert page.inner_text("#consequences .sentence") != sentence
    assert page.inner_html("#plot") != plot
    assert page.inner_text("#answer .figure") == probability
    assert page.get_attribute("#heat .layer", "src") == heat


def test_a_stricter_threshold_turns_the_verdict(page: Page):
    upload(page, _a_photo())
    expect(page.locator("#answer .verdict")).to_contain_text(texts.REFER)
    page.fill("#threshold input", "90")
    page.press("#threshold input", "Enter")
    expect(page.locator("#answer .verdict")).to_contain_text(texts.BELOW)
    expect(page.locator("#answer .why")).to_contain_text("90")


def test_presets_slider_and_threshold_move_together(page: Page, bundled_model):
    before = float(page.input_value("#threshold input"))
    page.locator("#presets").get_by_label("90 %").check()
    expect(page.locator("#sensitivity input[type=number]")).to_have_value("90")
    facts = bundled_model.facts
    counted = facts.operating_point(facts.threshold_for_sensitivity(0.9)).sensitivity.value  # apart from the threshold
    expect(page.locator("#consequences .tile").first).to_contain_text(percent(counted, texts))
    assert float(page.input_value("#threshold input")) > before

    page.fill("#sensitivity input[type=range]", "98")
    expect(page.locator("#presets").get_by_label("98 %")).to_be_checked()
    page.fill("#threshold input", str(before))
    page.press("#threshold input", "Enter")
    expect(page.locator("#presets").get_by_label("98 %")).not_to_be_checked()
    assert float(page.input_value("#sensitivity input[type=number]")) == pytest.approx(95, abs=1)


def test_before_any_photo_the_slider_already_tells_what_it_means(page: Page):
    expect(page.locator("#answer")).to_contain_text(texts.WAITING)
    page.fill("#sensitivity input[type=range]", "80")
    expect(page.locator("#consequences .tile").first).to_contain_text("80")
    expect(page.locator("#answer")).to_contain_text(texts.WAITING)


def test_a_broken_file_is_a_sentence_and_the_old_answer_is_gone(page: Page, tmp_path):
    upload(page, _a_photo())
    broken = tmp_path / "holiday.jpg"
    broken.write_text("this is no photo")
    page.get_by_label(re.compile("clear|remove", re.IGNORECASE)).first.click()
    expect(page.locator("#answer")).to_contain_text(texts.WAITING)
    upload(page, broken)
    expect(page.locator("#answer .problem")).to_contain_text("holiday.jpg")
    assert page.locator("#answer .figure").count() == 0
    assert page.locator("#heat img").count() == 0
    assert "Traceback" not in page.inner_text("body")
    page.get_by_label(re.compile("clear|remove", re.IGNORECASE)).first.click()
    expect(page.locator("#answer")).to_contain_text(texts.WAITING)
    upload(page, _a_photo())
    expect(page.locator("#answer .figure")).to_be_visible()


def test_a_picture_pasted_anywhere_is_screened_and_replaces_the_one_before(page: Page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    answers = []
    for name in ("synthetic-irregular-lesion", "synthetic-naevus"):
        picture = io.BytesIO()
        open_photo(EXAMPLES / f"{name}.jpg").save(picture, "PNG")
        page.evaluate(
            """async picture => {
                const blob = await (await fetch('data:image/png;base64,' + picture)).blob();
                await navigator.clipboard.write([new ClipboardItem({'image/png': blob})]);
            }""",
            base64.b64encode(picture.getvalue()).decode(),
        )
        page.keyboard.press("Control+V")
        before = answers[-1] if answers else ""
        page.wait_for_function(
            "before => (document.querySelector('#answer .figure')?.innerText ?? before) !== before", arg=before
        )
        answers.append(page.inner_text("#answer .figure"))
    assert len(set(answers)) == 2


def _paste(page: Page, place: str, text: str = "") -> None:
    """A drawn example, as a word processor gives it with its `text`, into a place of the page."""
    picture = base64.b64encode((EXAMPLES / "synthetic-naevus.jpg").read_bytes()).decode()
    page.locator(place).evaluate(
        """async (place, [picture, text]) => {
            const blob = await (await fetch('data:image/jpeg;base64,' + picture)).blob();
            const given = new DataTransfer();
            if (text) given.setData('text/plain', text);
            given.items.add(new File([blob], 'image.jpg', {type: 'image/jpeg'}));
            place.dispatchEvent(new ClipboardEvent('paste', {clipboardData: given, bubbles: true, cancelable: true}));
        }""",
        [picture, text],
    )


def test_text_pasted_into_the_report_with_its_picture_leaves_the_photo(page: Page):
    upload(page, EXAMPLES / "synthetic-irregular-lesion.jpg")
    figure = page.inner_text("#answer .figure")
    page.get_by_text(texts.REPORT, exact=True).click()
    page.get_by_label(texts.CASE_LABEL).fill("Case 17")
    _paste(page, "#report textarea >> nth=-1", "Growing for two months.")
    page.wait_for_timeout(1500)  # for an upload that must not be
    expect(page.locator("#answer .figure")).to_have_text(figure)
    expect(page.get_by_label(texts.CASE_LABEL)).to_have_value("Case 17")
    _paste(page, "#report textarea >> nth=-1")  # a picture alone is a photo
    expect(page.locator("#answer .figure")).not_to_have_text(figure)


def test_a_picture_pasted_on_another_tab_leaves_the_photo(page: Page):
    upload(page, EXAMPLES / "synthetic-irregular-lesion.jpg")
    figure = page.inner_text("#answer .figure")
    page.get_by_role("tab", name=texts.TAB_BATCH).click()
    _paste(page, "body")
    page.wait_for_timeout(1500)
    page.get_by_role("tab", name=texts.TAB_PHOTO).click()
    expect(page.locator("#answer .figure")).to_have_text(figure)


def _drop(page: Page, place: str, file: Path) -> bool:
    """Drop a file on a place of the page; whether the browser is told not to open it itself."""
    picture = base64.b64encode(file.read_bytes()).decode()
    return page.locator(place).first.evaluate(
        """async (place, picture) => {
            const blob = await (await fetch('data:image/jpeg;base64,' + picture)).blob();
            const given = new DataTransfer();
            given.items.add(new File([blob], 'image.jpg', {type: 'image/jpeg'}));
            const kinds = ['dragenter', 'dragover', 'drop'];
            const events = kinds.map(
                kind => new DragEvent(kind, {dataTransfer: given, bubbles: true, cancelable: true}));
            for (const event of events) place.dispatchEvent(event);
            return events[1].defaultPrevented && events[2].defaultPrevented;
        }""",
        picture,
    )


@pytest.mark.parametrize("place", ["#photo img", "header"])
def test_a_photo_dropped_on_the_one_before_or_beside_the_field_is_the_next(page: Page, place):
    upload(page, EXAMPLES / "synthetic-irregular-lesion.jpg")
    before = page.inner_text("#answer .figure")
    assert _drop(page, place, EXAMPLES / "synthetic-naevus.jpg")
    expect(page.locator("#answer .figure")).not_to_have_text(before)


def test_a_photo_dropped_beside_the_list_of_files_leaves_the_page(page: Page):
    page.get_by_role("tab", name=texts.TAB_BATCH).click()
    assert _drop(page, "header", EXAMPLES / "synthetic-naevus.jpg")
    page.wait_for_timeout(1000)
    page.get_by_role("tab", name=texts.TAB_PHOTO).click()
    expect(page.locator("#answer")).to_contain_text(texts.WAITING)


def test_only_where_there_is_a_camera_is_it_offered(page: Page):
    camera = page.locator("#photo").get_by_label("Capture from camera")
    expect(camera).not_to_be_visible()
    expect(page.locator("#photo").get_by_label("Paste from clipboard")).to_be_visible()
    page.evaluate("""() => {
        navigator.mediaDevices.enumerateDevices = async () => [{kind: 'videoinput'}];
        navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
    }""")
    expect(camera).to_be_visible()


def test_a_photo_the_browser_cannot_draw_is_answered_without_a_torn_picture(page: Page, tmp_path):
    open_photo(_a_photo()).save(tmp_path / "photo.tif")
    upload(page, tmp_path / "photo.tif")
    expect(page.locator("#answer .figure")).to_be_visible()
    expect(page.locator("#heat .layer")).to_be_visible()
    expect(page.locator("#photo img").first).to_have_css("visibility", "hidden")


def test_the_threshold_shown_can_be_typed_without_losing_a_melanoma(page: Page, bundled_model):
    sensitivity = page.locator("#consequences .tile").first
    expect(sensitivity).to_contain_text("95")
    before = sensitivity.inner_text()
    shown = page.input_value("#threshold input")
    page.fill("#threshold input", "30")
    page.press("#threshold input", "Enter")
    expect(sensitivity).not_to_have_text(before)
    page.fill("#threshold input", shown)
    page.press("#threshold input", "Enter")
    expect(sensitivity).to_have_text(before, use_inner_text=True)
    counted = bundled_model.facts.operating_point(float(shown) / 100).sensitivity.value
    expect(page.locator("#sensitivity input[type=number]")).to_have_value(f"{slider_step(100 * counted):g}")


def test_an_emptied_threshold_goes_back_to_the_models_own(page: Page):
    own = page.input_value("#threshold input")
    page.fill("#threshold input", "")
    page.press("#threshold input", "Enter")
    expect(page.locator("#threshold input")).to_have_value(own)


@pytest.mark.parametrize("width", [390, 768])
def test_the_plots_letters_stay_readable_in_a_narrow_card(page: Page, width):
    page.set_viewport_size({"width": width, "height": 900})
    height = page.locator("#plot text.title").first.bounding_box()["height"]
    assert height >= 8
    labels = [box.bounding_box() for box in page.locator("#plot text.axis:visible").all()]
    along = sorted((box for box in labels if box["width"] < 60), key=lambda box: (round(box["y"]), box["x"]))
    for left, right in itertools.pairwise(along):
        assert abs(left["y"] - right["y"]) > 5 or left["x"] + left["width"] <= right["x"]


def test_the_overlays_strength_changes_in_the_browser(page: Page):
    upload(page, _a_photo())
    layer = page.locator("#heat .layer")
    page.locator(".heat-controls input[type=range]").fill("0")
    expect(layer).to_have_css("opacity", "0")
    page.locator(".heat-controls input[type=range]").fill("100")
    expect(layer).to_have_css("opacity", "1")


def test_another_heat_map_method_shows_another_map(page: Page):
    upload(page, _a_photo())
    first = page.get_attribute("#heat .layer", "src")
    page.locator(".heat-controls input[role=listbox], .heat-controls .wrap input").last.click()
    page.get_by_role("option", name="EigenCAM").click()
    page.wait_for_function("first => document.querySelector('#heat .layer').src !== first", arg=first)


def test_the_method_chosen_last_is_the_one_shown_however_fast_it_was_chosen(page: Page):
    upload(page, _a_photo())
    field = page.locator(".heat-controls input[role=listbox], .heat-controls .wrap input").last
    waiting, chosen = [], []
    page.route("**/queue/join*", lambda route: route.continue_() if chosen else waiting.append(route))
    for method in ("EigenCAM", "LayerCAM"):
        field.click()
        page.get_by_role("option", name=method, exact=True).dispatch_event("mousedown")
    chosen.append("LayerCAM")
    for route in waiting:
        route.continue_()
    expect(field).to_have_value("LayerCAM")
    expect(page.locator("#heat h3")).to_contain_text("LayerCAM")


def test_printed_colours_are_those_of_the_legend(page: Page):
    page.emulate_media(media="print")
    expect(page.locator("#consequences .legend i").first).to_have_css("print-color-adjust", "exact")


def test_an_example_answers_with_one_click(page: Page):
    page.locator(".gallery-item").first.click()
    expect(page.locator("#answer .figure")).to_be_visible()


def test_the_models_facts_and_limits_are_on_the_page(page: Page, bundled_model):
    expect(page.locator("header .notice")).to_contain_text("not a diagnosis")
    page.get_by_role("tab", name=texts.TAB_ABOUT).click()
    about = page.locator("#about")
    expect(about).to_contain_text(bundled_model.sha256)
    expect(about).to_contain_text(bundled_model.facts.limits[0])


def test_no_request_leaves_the_host(page: Page, address: str):
    upload(page, _a_photo())
    page.fill("#sensitivity input[type=range]", "90")
    page.wait_for_timeout(500)
    assert page.hosts == {address.removeprefix("http://")}  # type: ignore[attr-defined]


def test_two_visitors_do_not_see_each_others_answers(page: Page, browser, address):
    upload(page, _a_photo())
    context = browser.new_context()
    other = context.new_page()
    other.goto(address)
    ready(other)
    expect(other.locator("#answer")).to_contain_text(texts.WAITING)
    other.fill("#sensitivity input[type=range]", "70")
    expect(other.locator("#consequences .tile").first).to_contain_text("70")
    expect(other.locator("#answer")).to_contain_text(texts.WAITING)
    expect(page.locator("#sensitivity input[type=number]")).to_have_value("95")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_cut_off_and_text_can_be_read(browser, address, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("#photo input[type=file]", state="attached")
    upload(page, EXAMPLES / "synthetic-irregular-lesion.jpg")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert _least_room_in_a_tile(page) >= 5
    for selector in (
        "#answer .verdict",
        "#answer .probability",
        "#consequences .sentence",
        "#plot h3",
        "#heat p",
        "#sensitivity .info-text",
    ):
        assert _contrast(page, selector) >= 4.5, selector
    if width == 390:  # on a phone: photo, answer, threshold and what it means
        places = ("#photo", "#answer", ".threshold-controls", "#consequences", "#plot", "#roc", "#confusion")
        tops = [page.locator(place).first.bounding_box()["y"] for place in places]
        assert tops == sorted(tops)
    context.close()


def _least_room_in_a_tile(page: Page) -> float:
    """Pixels between the end of a figure and the border of its tile."""
    return min(
        page.evaluate(
            """() => [...document.querySelectorAll('#consequences .tile')].map(tile => {
                const figure = document.createRange();
                figure.selectNodeContents(tile.querySelector('.value'));
                return tile.getBoundingClientRect().right - figure.getBoundingClientRect().right;
            })"""
        )
    )


def _contrast(page: Page, selector: str) -> float:
    """WCAG contrast of a text with the background colour behind it (gradients end in it)."""
    colours = page.evaluate(
        """selector => {
            const element = document.querySelector(selector);
            let behind = element;
            const clear = c => c === 'rgba(0, 0, 0, 0)' || c === 'transparent';
            while (clear(getComputedStyle(behind).backgroundColor) && behind.parentElement)
                behind = behind.parentElement;
            return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
        }""",
        selector,
    )
    bright, dark = sorted((_luminance(colour) for colour in colours), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [float(value) / 255 for value in re.findall(r"[\d.]+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_moving_the_slider_while_the_model_runs_counts_for_the_answer(page: Page):
    page.set_input_files("#photo input[type=file]", str(_a_photo()))
    page.fill("#sensitivity input[type=range]", "60")
    page.wait_for_selector("#answer .verdict")
    expect(page.locator("#consequences .tile").first).to_contain_text("60")
    threshold = float(page.input_value("#threshold input"))
    expect(page.locator("#answer .why")).to_contain_text(f"{percent(threshold / 100, texts)}")
