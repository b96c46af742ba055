"""The page itself, as its script uses it: the event that screens a photo, and what it then shows."""

import json
import re
from dataclasses import dataclass
from typing import Any

from benchmarks.load_files import File
from benchmarks.load_visitor import Visitor, uploaded

_PICTURE = re.compile(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+")


def question(photo: str | None) -> str:
    """What the page's script (assets/newest.js) asks about the photo that is shown, before anything was chosen."""
    nothing = dict.fromkeys(("screened", "run", "begun", "opened", "in_force"))
    return json.dumps({"number": 1, "clock": "", "photo": photo, "choices": [], **nothing})


@dataclass(frozen=True)
class PageEvent:
    """The event of the page that screens a photo: what it takes, its question first, and where the photo stands."""

    number: int
    defaults: list[Any]
    photo: int


async def page_event(visitor: Visitor) -> PageEvent:
    """The event as the page itself describes it."""
    config = (await visitor.get("/config")).json()
    ids = {part["props"].get("elem_id"): part["id"] for part in reversed(config["components"])}
    defaults = {part["id"]: part["props"].get("value") for part in config["components"]}
    events = [event for event in config["dependencies"] if [ids["photo"], "change"] in event["targets"]]
    event = next(event for event in events if event["queue"])  # the one before it only empties the page
    return PageEvent(
        event["id"],
        [defaults.get(part) for part in event["inputs"]],
        event["inputs"].index(ids["photo"]),
    )


async def shown_for(visitor: Visitor, event: PageEvent, file: File) -> tuple[str, str]:
    """The verdict and the photo that the page shows for a file."""
    path = await visitor.upload(f"photo{file.suffix}", file.content)
    data = [*event.defaults]
    data[0], data[event.photo] = question(path), uploaded(path)
    held, *_ = await visitor.event(event.number, data)
    values = held["values"]
    picture = _PICTURE.search(values["heat"])
    return values["answer"], picture[0] if picture else ""
