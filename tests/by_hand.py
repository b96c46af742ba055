"""A visitor who talks to the page's addresses by hand, with a cookie jar of their own."""

import json
import uuid
from typing import Any

import httpx

from benchmarks.load_page import question


class Visitor:
    """One visitor of the page at `address`, with a session as the page's script makes one."""

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address + "/", timeout=60)
        self.session = uuid.uuid4().hex[:11]

    def close(self) -> None:
        self.http.close()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, **options)

    def config(self) -> dict[str, Any]:
        return self.get("config").json()

    def upload(self, name: str, content: bytes) -> str:
        """The path on the server of a file, uploaded."""
        answer = self.http.post("gradio_api/upload", files={"files": (name, content)})
        answer.raise_for_status()
        return answer.json()[0]

    def join(self, body: dict[str, Any]) -> httpx.Response:
        """Ask for an event, as the page does."""
        return self.http.post("gradio_api/queue/join", json={"session_hash": self.session, **body})

    def completed(self) -> str:
        """The message in which this visitor's event ends, as it was sent."""
        path = f"gradio_api/queue/data?session_hash={self.session}"
        with self.http.stream("GET", path) as events:
            return next(line for line in events.iter_lines() if "process_completed" in line)

    def overheard(self, path: str, seconds: float = 2) -> str:
        """What a stream of events says until it ends or is silent for so long; a session's stream may never end."""
        heard = ""
        try:
            with self.http.stream("GET", path, timeout=httpx.Timeout(60, read=seconds)) as events:
                for part in events.iter_text():
                    heard += part
        except (httpx.ReadTimeout, httpx.RemoteProtocolError):
            pass
        return heard

    def show(self, path: str | dict[str, Any]) -> str:
        """Put an uploaded photo, or a file as it would be sent, on the page; the answer as it was sent."""
        config = self.config()
        photo = next(part["id"] for part in config["components"] if part["props"].get("elem_id") == "photo")
        event = next(
            event for event in config["dependencies"] if event["queue"] and [photo, "change"] in event["targets"]
        )
        defaults = {part["id"]: part["props"].get("value") for part in config["components"]}
        data = [defaults.get(part) for part in event["inputs"]]
        data[0] = question(path if isinstance(path, str) else str(path.get("path")))
        data[event["inputs"].index(photo)] = uploaded(path) if isinstance(path, str) else path
        self.join({"data": data, "fn_index": event["id"]}).raise_for_status()
        return self.completed()

    def screen(self, path: str) -> dict[str, Any]:
        """The API's answer for an uploaded photo."""
        endpoint = next(event["id"] for event in self.config()["dependencies"] if event["api_name"] == "screen")
        self.join({"data": [uploaded(path), None], "fn_index": endpoint}).raise_for_status()
        return json.loads(self.completed().removeprefix("data:"))["output"]["data"][0]


def uploaded(path: str) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}
