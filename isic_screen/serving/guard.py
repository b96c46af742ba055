"""What every answer carries, and which requests get none: an ASGI layer around Gradio's own routes."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isic_screen.serving.sentences import NO_ANSWER, says_why, with_sentence

_log = logging.getLogger(__name__)

BUSY = "Too many photos are waiting just now. Please try again in a minute."
BUSY_SECONDS = 60
NO_ADDRESSES = "This server fetches nothing from elsewhere: send the photo itself, not its address."
TOO_LONG = "The request is too long: upload the photo as a file."
LONGEST_JSON = 64 * 2**20
"""Bytes of a request that is not an upload; an upload has Gradio's own limit."""

# Gradio evaluates inline scripts and the page's `js=`; it shows pictures as data URIs and blobs. Nothing comes from, or
# goes to, another host. A Space is shown inside a frame of huggingface.co.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self' https://huggingface.co https://*.hf.space",
    )
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
}

# The same for every visitor, and never a photo. Browsers may keep these.
_STATIC = re.compile(r"/(assets|static|svelte)/|/(theme\.css|favicon\.ico|robots\.txt|manifest\.json|pwa_icon)")
# What the page and its API use. Gradio has more: links that write a visitor's answers to disk, recordings, a proxy.
_API = re.compile(
    r"/gradio_api/("
    r"info|openapi\.json|app_id|theme\.css|startup-events|login_check|user|upload|upload_progress|cancel|reset"
    r"|queue/(join|data)|heartbeat/[^/]+|(run|api|call)/.+|component_server|file=.+|mcp(/.*)?"
    r")/?"
)
_PREDICTION = re.compile(r"/gradio_api/(queue/join|run/.+|api/.+|call/.+)")
_EVENTS = re.compile(r"/gradio_api/(queue/data|call/.+)")
_LONG_OTHER = re.compile(r"/gradio_api/(mcp.*|component_server|cancel|reset)")
_NOT_GRADIOS_API = re.compile(r"/(monitoring|gradio_api)(/|$)")
_REMOTE_FILE = re.compile(r"/gradio_api/file=\s*https?:", re.IGNORECASE)


class Guard:
    """Safe headers on every answer; no request that Gradio would fetch something for, or that the page has no use for.

    A full queue is answered with a sentence, as status 429: of a 503, Gradio's page shows a text of its own instead.
    So is a request that Gradio fails at without a word. That a visitor went away is no fault to log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = _own_path(scope)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if not _STATIC.match(path):
                    headers["Cache-Control"] = "no-store"
            await send(with_sentence(message) if _EVENTS.match(path) else message)

        with suppress(ClientDisconnect):
            refusal, receive = await _refusal(path, scope, receive)
            if refusal is not None:
                await refusal(scope, receive, send_safely)
            elif _PREDICTION.match(path) and scope["method"] == "POST":
                await _Join(send_safely).run(self.app, scope, receive)
            else:
                await self.app(scope, receive, send_safely)


class Health:
    """`/healthz`: 200 and which model answers, for whoever watches the server. Needs no login."""

    def __init__(self, model: str, version: str) -> None:
        self.answer = {"status": "ok", "model": model, "version": version}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse(self.answer)(scope, receive, send)


class _Join:
    """The answer to a prediction that was asked for: held back while it might be a refusal without a sentence."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held: list[Message] = []
        self._started = False

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        try:
            await app(scope, receive, self._pass_on)
        except ClientDisconnect:
            raise
        except Exception:
            if self._started:
                raise
            _log.exception("A request for a prediction failed")
            await JSONResponse({"detail": NO_ANSWER}, 500)(scope, receive, self._send)
            return
        if not self._held:
            return
        status, body = self._held[0]["status"], b"".join(part.get("body", b"") for part in self._held[1:])
        if status == 503:
            busy = JSONResponse({"detail": BUSY}, 429, {"Retry-After": str(BUSY_SECONDS)})
            await busy(scope, receive, self._send)
        elif says_why(body):
            for message in self._held:
                await self._send(message)
        else:
            await JSONResponse({"detail": NO_ANSWER, "error": NO_ANSWER}, status)(scope, receive, self._send)

    async def _pass_on(self, message: Message) -> None:
        failed = message["type"] == "http.response.start" and message["status"] >= 500
        if failed or self._held:
            self._held.append(message)
        else:
            self._started = True
            await self._send(message)


async def _refusal(path: str, scope: Scope, receive: Receive) -> tuple[ASGIApp | None, Receive]:
    """An answer instead of Gradio's, if there is a reason for one, and where the request's body is now to be read."""
    if _NOT_GRADIOS_API.match(path) and not _API.fullmatch(path):
        return JSONResponse({"detail": "Not found."}, 404), receive
    if _REMOTE_FILE.match(path):
        return JSONResponse({"detail": NO_ADDRESSES}, 403), receive
    predicts = _PREDICTION.match(path)
    if scope["method"] != "POST" or not (predicts or _LONG_OTHER.match(path)):
        return None, receive
    body = await _body(scope, receive)
    if body is None:
        return JSONResponse({"detail": TOO_LONG}, 413), receive
    if predicts and _names_an_address(body):
        return JSONResponse({"detail": NO_ADDRESSES}, 403), receive
    return None, _again(body, receive)


def _own_path(scope: Scope) -> str:
    """The path inside the app, whether or not a proxy has taken the root path away."""
    root, path = scope.get("root_path", ""), scope["path"]
    return path[len(root) :] if root and path.startswith(root + "/") else path


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body, or None where it is too long."""
    announced = Headers(scope=scope).get("content-length", "0")
    if announced.isdigit() and int(announced) > LONGEST_JSON:
        return None
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > LONGEST_JSON:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """`receive` with a body that was read already."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return unread.pop() if unread else await receive()

    return replay


def _names_an_address(body: bytes) -> bool:
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
