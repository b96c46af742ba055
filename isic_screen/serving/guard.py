"""What every answer carries, and which requests get none: an ASGI layer around Gradio's own routes."""

import logging
import re
from contextlib import suppress

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isic_screen.serving.bodies import (
    FEW_VALUES,
    LONGEST_LOGIN,
    MOST_VALUES,
    BodyError,
    again,
    names_an_address,
    read,
    read_json,
)
from isic_screen.serving.sentences import NO_ANSWER, says_why, with_sentence

_log = logging.getLogger(__name__)

BUSY = "Too many photos are waiting just now. Please try again in a minute."
BUSY_SECONDS = 60
NO_ADDRESSES = "This server fetches nothing from elsewhere: send the photo itself, not its address."
TOO_LONG = "The request is too long or holds too much: upload photos as files, and send fewer at a time."
NO_LOGIN = "This page asks for a login: log in first."

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
    r"|queue/(join|data)|heartbeat/[^/]+|(run|api|call)/.+|file=.+|mcp(/.*)?"
    r")/?"
)
_PREDICTION = re.compile(r"/gradio_api/(queue/join|run/.+|api/.+|call/.+)")
_EVENTS = re.compile(r"/gradio_api/(queue/data|call/.+)")
_MCP = re.compile(r"/gradio_api/mcp(/|$)")
_UPLOAD = re.compile(r"/gradio_api/upload/?")
_LOGIN = re.compile(r"/login/?")
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


async def malformed(request: Request, error: Exception) -> JSONResponse:
    """The answer to a request of the wrong form: a sentence. FastAPI's own sends all of it back, value by value, which
    takes it longer than all that it is asked for."""
    return JSONResponse({"detail": NO_ANSWER}, 422)


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
    if scope["method"] != "POST":  # Gradio reads no other's body
        return None, receive
    login = _LOGIN.fullmatch(path)
    if not login and not _logged_in(scope):
        return JSONResponse({"detail": NO_LOGIN}, 401), receive
    if _UPLOAD.fullmatch(path):  # goes to the disk as it comes
        return None, receive
    predicts = _PREDICTION.match(path)
    try:
        if login:
            body = await read(scope, receive, LONGEST_LOGIN)
        else:
            photos, values = predicts or _MCP.match(path), MOST_VALUES if predicts else FEW_VALUES
            body = await read_json(scope, receive, bool(photos), values)
    except BodyError:
        return JSONResponse({"detail": TOO_LONG}, 413), receive
    if predicts and names_an_address(body):
        return JSONResponse({"detail": NO_ADDRESSES}, 403), receive
    return None, again(body, receive)


def _logged_in(scope: Scope) -> bool:
    """Whether Gradio would let this visitor in. It asks only once it has read and parsed the request."""
    app = scope["app"]
    if app.auth is None:
        return True
    cookies = HTTPConnection(scope).cookies
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    return next((cookies[name] for name in names if cookies.get(name)), None) in app.tokens


def _own_path(scope: Scope) -> str:
    """The path inside the app, whether or not a proxy has taken the root path away."""
    root, path = scope.get("root_path", ""), scope["path"]
    return path[len(root) :] if root and path.startswith(root + "/") else path
