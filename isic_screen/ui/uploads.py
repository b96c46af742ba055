"""Which files a request may name: uploads, and nothing else on the server."""

from pathlib import Path
from typing import Any

import gradio as gr

from isic_screen.ui.texts import Texts


def hand_over_file(photo: gr.Image, texts: Texts) -> None:
    """Let the callbacks get the file as it was uploaded, unread.

    Gradio itself would open the picture first, and answer a file it cannot read with an error of its own; photo.py is
    to be the only place that decodes. Overridden on the one instance, as a subclass makes Gradio write files of its own
    beside this one.

    Gradio checks that a path is one of an upload only where the request marks it as a file, and a request made by hand
    need not; without the check here, a visitor could have any picture on the server shown.
    """
    as_gradio_does = photo.preprocess
    uploads = Path(photo.GRADIO_CACHE).resolve()

    def preprocess(payload: Any) -> Any:
        if payload is None or payload.path is None:
            return as_gradio_does(payload)  # a data URI, as some browsers paste
        if not Path(payload.path).resolve().is_relative_to(uploads):
            raise gr.Error(texts.NOT_UPLOADED)
        return payload.path

    photo.preprocess = preprocess  # type: ignore[method-assign]


def only_uploads(files: gr.File, texts: Texts) -> None:
    """Refuse paths that are not of an upload, for the same reason."""
    as_gradio_does = files.preprocess
    uploads = Path(files.GRADIO_CACHE).resolve()

    def preprocess(payload: Any) -> Any:
        given = as_gradio_does(payload)
        paths = given if isinstance(given, list) else [given] if given else []
        if not all(Path(str(path)).resolve().is_relative_to(uploads) for path in paths):
            raise gr.Error(texts.NOT_UPLOADED)
        return given

    files.preprocess = preprocess  # type: ignore[method-assign]
