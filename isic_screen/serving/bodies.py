"""Which bodies of requests are read, and how much of them: what Gradio is then handed, it parses in the event loop,
where everybody waits for it."""

import json
from collections.abc import Iterator
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

LONGEST = 2**20
"""Bytes of a request, but for the photos in it. An upload has Gradio's own limit."""
LONGEST_WITH_PHOTOS = 8 * 2**20
"""Bytes where photos may come in the request itself, as data URIs."""
LONGEST_LOGIN = 16 * 2**10
MOST_VALUES = 20_000
"""Values in the JSON of a prediction, roughly; the page's batch of 1,000 uploads has 9,000. What Gradio does takes some
10 µs for each, and in 1 MB of empty lists there are 350,000."""
FEW_VALUES = 1_000
"""In every other JSON body; MCP's check of a request takes 100 µs for each."""

_PHOTO = b'"data:'


class BodyError(Exception):
    """A body that is not handed on."""


async def read_json(scope: Scope, receive: Receive, photos: bool, most_values: int) -> bytes:
    """The whole JSON body of a request; BodyError where it is too long, or holds more than `most_values`.

    `photos`: data URIs in it do not count, up to LONGEST_WITH_PHOTOS in all.
    """
    body = await read(scope, receive, LONGEST_WITH_PHOTOS if photos else LONGEST)
    _check(body, most_values)
    return body


async def read(scope: Scope, receive: Receive, most: int) -> bytes:
    """The whole body of a request; BodyError as soon as it is known to have more than `most` bytes, or more than
    LONGEST without a photo."""
    announced = Headers(scope=scope).get("content-length", "0")
    if announced.isdigit() and int(announced) > most:
        raise BodyError
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > most or (len(body) > LONGEST and _PHOTO not in body):
            raise BodyError
        if not message.get("more_body"):
            return bytes(body)


def again(body: bytes, receive: Receive) -> Receive:
    """`receive` with a body that was read already."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return unread.pop() if unread else await receive()

    return replay


def _check(body: bytes, most_values: int) -> None:
    """Raises BodyError where more than LONGEST bytes or `most_values` of a JSON body are outside of its data URIs.

    Nothing is parsed: it takes as long as to look for quotation marks. What follows the mark of a data URI is inside of
    a string, or else the body is no JSON; and the string ends at the next quotation mark, or later.
    """
    if json.detect_encoding(body) not in ("utf-8", "utf-8-sig"):  # the marks might be parts of other characters
        raise BodyError
    length = values = end = 0
    while end >= 0:
        start = body.find(_PHOTO, end)
        to = len(body) if start < 0 else start + len(_PHOTO)
        length += to - end
        values += 1 + sum(body.count(mark, end, to) for mark in (b",", b"[", b"{"))
        if length > LONGEST or values > most_values:
            raise BodyError
        end = body.find(b'"', to)
        length += body.count(b"\\", to, max(end, to))  # escapes take long to read; base64 has few or none


def names_an_address(body: bytes) -> bool:
    """Whether a file in a request for a prediction is an address that Gradio would fetch."""
    try:
        request = json.loads(body)
    except ValueError:  # Gradio says what is wrong with it
        return False
    except RecursionError:  # no request of the page's is that deep
        return True
    return any(path.strip().lower().startswith(("http:", "https:")) for path in _paths(request))


def _paths(part: Any) -> Iterator[str]:
    parts = [part]
    while parts:  # no recursion: a visitor chooses how deep it goes
        part = parts.pop()
        if isinstance(part, dict):
            if isinstance(part.get("path"), str):
                yield part["path"]
            parts.extend(part.values())
        elif isinstance(part, list):
            parts.extend(part)
