"""The page itself, as its script uses it: the event that screens a photo, and what it then shows."""

import re
from dataclasses import dataclass
from typing import Any

from benchmarks.load_files import File
from benchmarks.load_visitor import Visitor, uploaded

_PICTURE = re.compile(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+")


@dataclass(frozen=True)
class PageEvent:
    """The event of the page that screens a photo: what it takes, and where its answer and picture stand."""

    number: int
    defaults: list[Any]
    photo: int
    answer: int
    heat: int


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
        event["outputs"].index(ids["answer"]),
        event["outputs"].index(ids["heat"]),
    )


async def shown_for(visitor: Visitor, event: PageEvent, file: File) -> tuple[str, str]:
    """The verdict and the photo that the page shows for a file."""
    path = await visitor.upload(f"photo{file.suffix}", file.content)
    data = [*event.defaults]
    data[event.photo] = uploaded(path)
    outputs = await visitor.event(event.number, data)
    picture = _PICTURE.search(outputs[event.heat])
    return outputs[event.answer], picture[0] if picture else ""
