"""Take the README's pictures of the page, with the drawn examples in it.

    python -m tests.browser.screenshots [FOLDER]

Needs what tests/requirements.txt installs, and Chromium on the PATH.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from isic_screen.ui.texts import LANGUAGES
from tests.browser.conftest import CHROMIUM_ARGUMENTS, upload
from tests.conftest import ROOT
from tests.serving import running_app

EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"
VIEWS = [(1280, "light"), (1280, "dark"), (768, "light"), (390, "light")]


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        running_app(Path(scratch) / "app.log") as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
        for width, scheme in VIEWS:
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.goto(address)
            page.wait_for_selector("#photo input[type=file]", state="attached")
            upload(page, EXAMPLE)
            page.wait_for_function("[...document.images].every(image => image.complete)")
            page.mouse.move(0, 0)
            page.wait_for_timeout(700)  # Gradio's fades
            page.screenshot(path=folder / f"page-{width}-{scheme}.png", full_page=True)
            page.close()
        _batch(browser.new_page(viewport={"width": 1280, "height": 900}), address, Path(scratch), folder)
        browser.close()


def _batch(page: Page, address: str, scratch: Path, folder: Path) -> None:
    texts = LANGUAGES[0]
    photos = []
    for number, example in enumerate(sorted(EXAMPLE.parent.glob("*.jpg")) * 2):
        with Image.open(example) as drawn:
            photos.append(scratch / f"lesion-{number + 1}.jpg")
            drawn.rotate(90 * number, expand=True).save(photos[-1])
    (scratch / "letter.jpg").write_text("Dear colleague,")
    page.goto(address)
    page.get_by_role("tab", name=texts.TAB_BATCH).click()
    page.set_input_files("#batch-files input[type=file]", [*map(str, photos), str(scratch / "letter.jpg")])
    page.locator("#batch-files").get_by_text("letter").first.wait_for()
    page.locator("#batch-start").click()
    page.get_by_text(texts.BATCH_DONE.format(photos=len(photos) + 1)).wait_for()
    page.wait_for_timeout(700)
    page.screenshot(path=folder / "batch-1280-light.png", full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "assets" / "screenshots")
