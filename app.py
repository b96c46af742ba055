"""The page: `python app.py [--model FILE] [--host H] [--port P]`. Also the entry point of a Hugging Face Space."""

import argparse
import os
import sys
from pathlib import Path

# Before Gradio is imported: nothing is reported anywhere, and no answer is kept in a browser or a bucket.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GRADIO_RUN_HISTORY", "False")

from isic_screen.artifact import BUNDLED_MODEL, load_model
from isic_screen.errors import ScreenError
from isic_screen.screener import Screener
from isic_screen.ui.layout import MAX_FILE_SIZE, STYLE, build_page, theme


def main() -> int:
    """Exit status 2 with a sentence when the model cannot be loaded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, metavar="FILE", help="default: the bundled model")
    # None leaves the choice to Gradio, which reads GRADIO_SERVER_NAME and GRADIO_SERVER_PORT.
    parser.add_argument("--host", metavar="H", help="address to listen on, 0.0.0.0 for all; default: this machine only")
    parser.add_argument("--port", type=int, metavar="P", help="default: 7860, or the next free one")
    given = parser.parse_args()
    try:
        screener = Screener(load_model(given.model))
    except ScreenError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    build_page(screener).queue(max_size=64).launch(
        server_name=given.host,
        server_port=given.port,
        theme=theme(),
        css_paths=STYLE,
        max_file_size=MAX_FILE_SIZE,
        footer_links=["api"],
        ssr_mode=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
