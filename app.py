"""The page: `python app.py`, options by `--help`. Also the entry point of a Hugging Face Space."""

import os
import signal
import sys

from isic_screen import log, serving
from isic_screen.artifact import load_model
from isic_screen.errors import ScreenError
from isic_screen.screener import Screener

serving.prepare(os.environ)


def main() -> int:
    """Exit status 2 with a sentence when a setting cannot be followed or the model cannot be loaded."""
    log.to_stderr()
    try:
        settings = serving.read_settings(None, os.environ)
        serving.check_address(settings.host, settings.port)
        screener = Screener(load_model(settings.model))
        # As Ctrl-C: the server ends in good order, and uploads are deleted. Docker and systemd stop a service this way.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with serving.own_upload_folder(os.environ.get("GRADIO_TEMP_DIR")) as uploads:
            os.environ["GRADIO_TEMP_DIR"] = str(uploads)
            # Only now, as Gradio reads its variables when it is imported.
            from isic_screen.ui.layout import DELETE_CACHE, MAX_FILE_SIZE, STYLES, build_page, theme

            page = build_page(screener).queue(max_size=64)
            with serving.silence():
                page.launch(
                    server_name=settings.host,
                    server_port=settings.port,
                    root_path=settings.root_path,
                    auth=settings.login,
                    mcp_server=settings.mcp,
                    theme=theme(),
                    css_paths=STYLES,
                    max_file_size=MAX_FILE_SIZE,
                    state_session_capacity=serving.MOST_SESSIONS,
                    footer_links=["api"],
                    ssr_mode=False,
                    share=False,
                    quiet=True,
                    prevent_thread_lock=True,
                    enable_monitoring=False,
                    num_workers=0,  # they would answer around the guard
                    app_kwargs=serving.around(uploads, screener.facts, *DELETE_CACHE),
                )
            serving.announce(settings.address(page.local_url), screener.facts)
            page.block_thread()
    except ScreenError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
