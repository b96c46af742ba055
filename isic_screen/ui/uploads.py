"""Which files a request may name: uploads, and nothing else on the server."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import gradio as gr
from gradio import route_utils
from gradio.block_function import BlockFunction
from gradio.data_classes import FileData, ListFiles
from gradio.processing_utils import save_base64_to_cache
from pydantic import ConfigDict, FailFast, model_validator
from starlette.formparsers import MultiPartException

from isic_screen.ui.texts import Texts
from isic_screen.ui.upload import Upload


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
        return Upload.of(payload.path, payload.orig_name)

    photo.preprocess = preprocess  # type: ignore[method-assign]
    _quote_nothing(photo)


def only_uploads(files: gr.File, texts: Texts) -> None:
    """Refuse paths that are not of an upload, for the same reason."""
    as_gradio_does = files.preprocess
    uploads = Path(files.GRADIO_CACHE).resolve()

    def preprocess(payload: Any) -> Any:
        given = as_gradio_does(payload)
        paths = given if isinstance(given, list) else [given] if given else []
        if not all(Path(str(path)).resolve().is_relative_to(uploads) for path in paths):
            raise gr.Error(texts.NOT_UPLOADED)
        sent = [payload] if isinstance(payload, FileData) else list(payload or [])
        named = [Upload.of(str(path), file.orig_name) for path, file in zip(paths, sent, strict=True)]
        return named if isinstance(given, list) else next(iter(named), None)

    files.preprocess = preprocess  # type: ignore[method-assign]
    _quote_nothing(files)
    _take_turns(files)


def _take_turns(files: gr.File) -> None:
    """Let the server answer others between two files of a list: Gradio looks up where each lies, in its event loop."""
    as_gradio_does = files.async_move_resource_to_block_cache

    async def move(path: str | Path | None) -> str | None:
        await asyncio.sleep(0)
        return await as_gradio_does(path)

    files.async_move_resource_to_block_cache = move  # type: ignore[method-assign, assignment]


def files_alone() -> None:
    """Refuse an upload with a part that is no file: Gradio would gather it in memory, of any length."""

    class Files(route_utils.GradioMultiPartParser):
        def on_headers_finished(self) -> None:
            super().on_headers_finished()
            if self._current_part.file is None:
                raise MultiPartException("An upload holds files alone: send each with its name.")

    route_utils.GradioMultiPartParser = Files  # type: ignore[misc]


def count_inputs(page: gr.Blocks) -> None:
    """Refuse a request with too few inputs without quoting it: Gradio logs all of it, with the names of photos."""

    def validate_inputs(event: BlockFunction, inputs: list[Any]) -> None:
        if len(inputs) < len(event.inputs):
            raise ValueError(f"{event.name} needs {len(event.inputs)} inputs and got {len(inputs)}.")

    page.validate_inputs = validate_inputs  # type: ignore[method-assign, assignment]


def _quote_nothing(files: gr.File | gr.Image) -> None:
    """Keep what a wrong request holds, such as a photo's name, out of the reason that Gradio logs; and of a list, all
    but the first fault."""
    model: Any = files.data_model
    kept: dict[str, Any] = {"model_config": ConfigDict(hide_input_in_errors=True)}
    if issubclass(model, ListFiles):
        kept["__annotations__"] = {"root": Annotated[list[FileData], FailFast()]}
    files.data_model = type(model.__name__, (model,), kept)


def data_uris_too(files: gr.File, texts: Texts) -> None:
    """Let a list of files hold data URIs as well, which is how MCP clients send photos.

    Gradio makes files of the data URIs that a tool is given, but of none in a list; and what it tells a client of a
    list's items refers to a definition that is not where it says, so that every call fails.
    """
    uploads = files.GRADIO_CACHE

    class Files(ListFiles):
        model_config = ConfigDict(hide_input_in_errors=True)
        root: Annotated[list[FileData], FailFast()]

        @model_validator(mode="before")
        @classmethod
        def saved(cls, given: Any) -> Any:
            if not isinstance(given, list):
                return given  # Gradio says what is wrong with it
            return [_saved(file, uploads, texts) if isinstance(file, str) else file for file in given]

    told = _without_references(files.api_info())
    files.data_model = Files
    files.api_info = lambda: told  # type: ignore[method-assign]


def _saved(given: str, uploads: str, texts: Texts) -> dict[str, Any]:
    if not given.startswith("data:"):
        raise gr.Error(texts.NOT_UPLOADED)
    return FileData(path=save_base64_to_cache(given, uploads)).model_dump()


def _without_references(schema: Any, definitions: Mapping[str, Any] | None = None) -> Any:
    """A JSON schema with each reference to one of its definitions replaced by that definition."""
    if isinstance(schema, list):
        return [_without_references(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    known = schema.get("$defs", {}) if definitions is None else definitions
    referred = known[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else {}
    parts = {**referred, **{name: part for name, part in schema.items() if name not in ("$ref", "$defs")}}
    return {name: _without_references(part, known) for name, part in parts.items()}
