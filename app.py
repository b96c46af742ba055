"""The page: `python app.py`, options by `--help`. Also the entry point of a Hugging Face Space."""

import os
import signal
import sys

# Before Gradio is imported: nothing is reported, no answer is kept in a browser or a bucket, no use is counted.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GRADIO_RUN_HISTORY", "False")
os.environ.update({"GRADIO_ANALYTICS_MAX_EVENTS": "1", "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**9)})

from starlette.middleware import Middleware
from starlette.routing import Route

from isic_screen.artifact import load_model
from isic_screen.errors import ScreenError
from isic_screen.screener import Screener
from isic_screen.serving import MOST_SESSIONS, Guard, Health, cleaning, own_upload_folder, read_settings
from isic_screen.ui.layout import DELETE_CACHE, MAX_FILE_SIZE, STYLES, build_page, theme


def main() -> int:
    """Exit status 2 with a sentence when a setting is wrong or the model cannot be loaded."""
    try:
        settings = read_settings(None, os.environ)
        screener = Screener(load_model(settings.model))
    except ScreenError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # As Ctrl-C: the server ends in good order, and uploads are deleted. Docker and systemd stop a service this way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with own_upload_folder(os.environ.get("GRADIO_TEMP_DIR")) as uploads:
        os.environ["GRADIO_TEMP_DIR"] = str(uploads)
        build_page(screener).queue(max_size=64).launch(
            server_name=settings.host,
            server_port=settings.port,
            root_path=settings.root_path,
            auth=settings.login,
            mcp_server=settings.mcp,
            theme=theme(),
            css_paths=STYLES,
            max_file_size=MAX_FILE_SIZE,
            state_session_capacity=MOST_SESSIONS,
            footer_links=["api"],
            ssr_mode=False,
            share=False,
            enable_monitoring=False,
            num_workers=0,  # they would answer around the guard
            app_kwargs={
                "lifespan": cleaning(uploads, *DELETE_CACHE),
                "middleware": [Middleware(Guard)],
                "routes": [Route("/healthz", Health(screener.facts.name, screener.facts.version))],
            },
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
