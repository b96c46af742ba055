"""The camera's picture as it is, and no photo that is given gets lost."""

import base64
import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from isic_screen.ui.texts import German, Texts
from tests.browser.conftest import ready, upload
from tests.conftest import ROOT

EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"
texts, german = Texts(), German()

# A camera whose picture is red on the left and blue on the right; what is asked of it is noted.
_CAMERA = """() => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 640, height: 480});
    const pen = canvas.getContext('2d');
    setInterval(() => {
        pen.fillStyle = 'red'; pen.fillRect(0, 0, 320, 480);
        pen.fillStyle = 'blue'; pen.fillRect(320, 0, 320, 480);
    }, 50);
    window.askedOfCamera = [];
    navigator.mediaDevices.getUserMedia = async (asked) => {
        window.askedOfCamera.push(asked);
        return canvas.captureStream(20);
    };
    navigator.mediaDevices.enumerateDevices = async () => [{kind: 'videoinput', deviceId: 'one', label: 'one'}];
}"""


def test_the_cameras_picture_is_not_mirrored_and_the_rear_camera_is_asked_for(page: Page):
    page.add_init_script(f"({_CAMERA})()")  # before the page looks for one
    page.reload()
    ready(page)
    page.locator("#photo").get_by_label("Capture from camera").click()
    access = page.locator("#photo").get_by_text("Click to Access Webcam")
    access.click()
    page.locator("#photo video").wait_for()
    page.wait_for_function("document.querySelector('#photo video').videoWidth > 0")
    assert page.evaluate("window.askedOfCamera[0].video.facingMode") == {"ideal": "environment"}
    assert "matrix(-1" not in page.locator("#photo video").evaluate("video => getComputedStyle(video).transform")
    page.locator("#photo").get_by_label("capture photo").click()
    picture = page.locator("#photo img[src*='/file=']")
    picture.wait_for()
    content = page.evaluate(
        """async address => {
            const bytes = new Uint8Array(await (await fetch(address)).arrayBuffer());
            return btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ''));
        }""",
        picture.get_attribute("src"),
    )
    photo = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")
    left, right = (photo.getpixel((photo.width * part // 4, photo.height // 2)) for part in (1, 3))
    assert left[0] > 150 > left[2]
    assert right[2] > 150 > right[0]


_DROP = """async ([place, names, content]) => {
    const given = new DataTransfer();
    for (const name of names) {
        const blob = await (await fetch('data:application/octet-stream;base64,' + content)).blob();
        given.items.add(new File([blob], name, {type: name.endsWith('.zip') ? 'application/zip' : 'image/jpeg'}));
    }
    const target = document.querySelector(place);
    for (const kind of ['dragenter', 'dragover', 'drop'])
        target.dispatchEvent(new DragEvent(kind, {dataTransfer: given, bubbles: true, cancelable: true}));
}"""


def _drop(page: Page, place: str, names: list[str], content: bytes) -> None:
    page.evaluate(_DROP, [place, names, base64.b64encode(content).decode()])


def _zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(2):
            archive.writestr(f"photo-{number}.jpg", EXAMPLE.read_bytes())
    return packed.getvalue()


@pytest.mark.parametrize("said", [texts, german], ids=lambda said: said.LANGUAGE)
def test_of_several_photos_given_as_one_none_is_lost(page: Page, address: str, said: Texts):
    if said is german:
        page.goto(f"{address}/de")
    ready(page)
    _drop(page, "#photo", ["a.jpg", "b.jpg"], EXAMPLE.read_bytes())
    expect(page.locator("#batch-given")).to_have_text(said.BATCH_GIVEN)
    expect(page.locator("#batch-progress")).to_contain_text(said.BATCH_DONE.format(photos=2))
    expect(page.locator("#batch-table tbody tr")).to_have_count(2)
    page.get_by_role("tab", name=said.TAB_PHOTO).click()
    _drop(page, "header", ["many.zip"], _zipped())
    expect(page.locator("#batch-progress")).to_contain_text(said.BATCH_DONE.format(photos=4))
    expect(page.locator("#batch-table")).to_contain_text("photo-1.jpg")
    page.get_by_role("tab", name=said.TAB_PHOTO).click()
    expect(page.locator("#answer")).to_contain_text(said.WAITING)
    upload(page, EXAMPLE)
    expect(page.locator("#answer .figure")).to_be_visible()


def test_while_a_list_is_screened_no_other_photo_is_taken_and_that_is_said(page: Page, tmp_path: Path):
    page.get_by_role("tab", name=texts.TAB_BATCH).click()
    page.locator("#batch-start").evaluate("button => { button.disabled = true; }")  # as while a list is screened
    page.get_by_role("tab", name=texts.TAB_PHOTO).click()
    _drop(page, "#photo", ["a.jpg", "b.jpg"], EXAMPLE.read_bytes())
    expect(page.locator("#batch-busy")).to_have_text(texts.BATCH_BUSY)
    expect(page.locator("#batch-files")).not_to_contain_text("b.jpg")


def test_a_folder_given_as_one_photo_is_screened_with_all_that_is_in_it(page: Page):
    page.evaluate(
        """async content => {
            const blob = await (await fetch('data:image/jpeg;base64,' + content)).blob();
            const file = (name) => ({name, isDirectory: false, file: (done) => done(new File([blob], name))});
            const folder = (name, entries) => ({name, isDirectory: true, createReader: () => {
                const parts = [entries, []];
                return {readEntries: (done) => done(parts.shift())};
            }});
            const inside = folder('inside', [file('b.jpg'), file('._b.jpg')]);
            const top = folder('top', [file('a.jpg'), inside, file('.DS_Store')]);
            const event = new DragEvent('drop', {bubbles: true, cancelable: true});
            const given = {types: ['Files'], items: [{webkitGetAsEntry: () => top}], files: [new File([], 'top')]};
            Object.defineProperty(event, 'dataTransfer', {value: given});
            document.querySelector('#photo').dispatchEvent(event);
        }""",
        base64.b64encode(EXAMPLE.read_bytes()).decode(),
    )
    expect(page.locator("#batch-progress")).to_contain_text(texts.BATCH_DONE.format(photos=2))
    expect(page.locator("#batch-table tbody tr")).to_have_count(2)
