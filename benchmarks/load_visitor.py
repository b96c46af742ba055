"""One visitor of the load test, who talks to the page's addresses by plain HTTP."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from isic_screen.serving.guard import BUSY

TIMEOUT = httpx.Timeout(180)
# A connection for each request. The server closes one after five idle seconds, and on two busy cores it may do so
# before it has seen the next request on it, as HTTP allows: browsers then ask again, httpx does not.
LIMITS = httpx.Limits(max_keepalive_connections=0)
_BOUNDARY = "the-end-of-a-part"


class BusyError(Exception):
    """The server said, in its sentence, that the queue is full."""


class CutOffError(Exception):
    """The server went away, or lost what it was asked, before it answered."""


class UnclearError(Exception):
    """An answer without a sentence that a visitor could act on."""


class Visitor:
    """A visitor of the page at `address`; `asked` counts their HTTP requests."""

    def __init__(self, address: str) -> None:
        self.http = httpx.AsyncClient(base_url=address, timeout=TIMEOUT, limits=LIMITS)
        self.session = uuid.uuid4().hex
        self.asked = 0
        self._host, self._port = str(urlsplit(address).hostname), int(urlsplit(address).port or 80)

    async def close(self) -> None:
        await self.http.aclose()

    async def get(self, path: str) -> httpx.Response:
        self.asked += 1
        return await self.http.get(path)

    async def post(self, path: str, body: bytes) -> httpx.Response:
        self.asked += 1
        return await self.http.post(path, content=body, headers={"Content-Type": "application/json"})

    async def upload(self, name: str, content: bytes, pause: float = 0) -> str:
        """The path on the server of a file, uploaded; `pause` is seconds between twenty pieces of it."""
        self.asked += 1
        body = _multipart(name, content)

        async def pieces() -> AsyncIterator[bytes]:
            size = len(body) // 20 + 1
            for start in range(0, len(body), size):
                yield body[start : start + size]
                await asyncio.sleep(pause)

        headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}", "Content-Length": str(len(body))}
        answer = await self.http.post("/gradio_api/upload", content=pieces() if pause else body, headers=headers)
        if answer.status_code != 200:
            raise UnclearError(f"an upload was answered with {answer.status_code}: {answer.text[:200]}")
        return str(answer.json()[0])

    async def break_off_upload(self, name: str, content: bytes) -> None:
        """Begin to upload a file, and close the connection in the middle of it."""
        self.asked += 1
        body = _multipart(name, content)
        head = (
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        _, out = await asyncio.open_connection(self._host, self._port)
        try:
            out.write(head.encode() + body[: len(body) // 2])
            await out.drain()
        finally:
            out.close()
            await out.wait_closed()

    async def ask(self, endpoint: str, data: list[Any]) -> str:
        """The number of an event at an endpoint of the API."""
        return await self._joined(f"/gradio_api/call/{endpoint}", {"data": data})

    async def _joined(self, path: str, body: dict[str, Any]) -> str:
        self.asked += 1
        text = json.dumps(body)  # by hand, as httpx refuses to write NaN
        answer = await self.http.post(path, content=text, headers={"Content-Type": "application/json"})
        told = sentence(answer.text)
        if answer.status_code == 429 and told == BUSY:
            raise BusyError
        if answer.status_code != 200:
            raise UnclearError(f"{path} answered {answer.status_code}: {told or answer.text[:200]!r}")
        return str(answer.json()["event_id"])

    async def answer(self, endpoint: str, event: str, pause: float = 0) -> Any:
        """What comes of an event: its value, or UnclearError with the server's sentence where there is one."""
        self.asked += 1
        async with self.http.stream("GET", f"/gradio_api/call/{endpoint}/{event}") as events:
            kind = ""
            async for line in events.aiter_lines():
                await asyncio.sleep(pause)
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: ") and kind == "complete":
                    return json.loads(line.removeprefix("data: "))[0]
                elif line.startswith("data: ") and kind == "error":
                    return {"error": sentence(line.removeprefix("data: "))}
        raise CutOffError("an answer ended before it was complete")

    async def call(self, endpoint: str, data: list[Any], pause: float = 0) -> Any:
        return await self.answer(endpoint, await self.ask(endpoint, data), pause)

    async def drop_answer(self, endpoint: str, event: str) -> None:
        """Begin to listen for an answer, and go away."""
        self.asked += 1
        async with self.http.stream("GET", f"/gradio_api/call/{endpoint}/{event}"):
            return

    async def event(self, number: int, data: list[Any]) -> list[Any]:
        """What an event of the page comes to, through the page's own stream of events."""
        await self._joined("/gradio_api/queue/join", {"data": data, "fn_index": number, "session_hash": self.session})
        self.asked += 1
        async with self.http.stream("GET", f"/gradio_api/queue/data?session_hash={self.session}") as events:
            async for line in events.aiter_lines():
                message = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if message.get("msg") == "process_completed":
                    if not message["success"]:
                        raise UnclearError(f"the page was answered: {message['output']}")
                    return list(message["output"]["data"])
                if message.get("msg") == "unexpected_error":
                    raise CutOffError(str(message))
        raise CutOffError("the page's events ended before the answer")

    @asynccontextmanager
    async def on_the_page(self) -> AsyncIterator[None]:
        """Hold the connection open that tells the server that somebody looks at the page."""
        self.asked += 1
        async with self.http.stream("GET", f"/gradio_api/heartbeat/{self.session}"):
            yield


def uploaded(path: str) -> dict[str, Any]:
    """A file that was uploaded, as an endpoint takes it."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def sentence(answer: str) -> str:
    """The sentence in a refusal, or "" where it has none."""
    try:
        told = json.loads(answer)
    except ValueError:
        return ""
    found = (told.get("error") or told.get("detail") or "") if isinstance(told, dict) else told
    return found if isinstance(found, str) else ""


def _multipart(name: str, content: bytes) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return head.encode() + content + f"\r\n--{_BOUNDARY}--\r\n".encode()
