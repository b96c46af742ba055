"""Take the README's pictures of the page, with a drawn example in it.

    python -m tests.browser.screenshots [FOLDER]

Needs what tests/requirements.txt installs, and Chromium on the PATH.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

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
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "assets" / "screenshots")
