"""A sentence in every answer that says no: where Gradio has none, the visitor gets one of ours."""

import json
from typing import Any

from starlette.types import Message

NO_ANSWER = "The server could not answer this request. Please try again; /gradio_api/info says what it can be asked."


def with_sentence(message: Message) -> Message:
    """A part of an answer's stream of events, with NO_ANSWER where an event failed without a word.

    Gradio sends each event as a part of its own.
    """
    body = message.get("body", b"")
    if message["type"] != "http.response.body" or not _may_be_silent(body):
        return message
    head, _, told = body.decode().partition("data: ")
    try:
        event = json.loads(told)
    except ValueError:
        return message
    failed = event if head else event.get("output")  # /call names the kind of an event before its data
    if not _silent(failed):
        return message
    failed["error"] = NO_ANSWER
    return {**message, "body": f"{head}data: {json.dumps(event)}\n\n".encode()}


def says_why(body: bytes) -> bool:
    """Whether the body of a refusal holds a sentence, as `detail` or `error`."""
    try:
        told = json.loads(body)
    except ValueError:
        return False
    return isinstance(told, dict) and any(isinstance(told.get(name), str) for name in ("detail", "error"))


def _may_be_silent(body: bytes) -> bool:
    """Whether it is worth reading: answers with pictures are long."""
    return body.startswith(b"event: error\n") or (
        body.startswith(b"data: ") and b'"success":false' in body and b'"process_completed"' in body
    )


def _silent(failed: Any) -> bool:
    return isinstance(failed, dict) and "error" in failed and failed["error"] is None
