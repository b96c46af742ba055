"""The kinds of requests that the load test mixes, and what a right answer to each is."""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from benchmarks import load_files
from benchmarks.load_files import File
from benchmarks.load_page import PageEvent, page_event, shown_for
from benchmarks.load_visitor import BusyError, UnclearError, Visitor, sentence, uploaded

TOLERANCE = 1e-6
"""How far a probability may lie from the one of the photo alone."""
AT_ONCE = 24
"""Photos of one visitor's burst: a few of those at once fill the queue of 64."""
BUSY_TRIES = 200
"""How often a visitor comes again who was told that the queue is full."""
_BUSY_PAUSE = (0.5, 3.0)  # seconds; the server asks for a minute, and a load test is impatient


class WrongError(Exception):
    """An answer that is not the one to what was sent."""


@dataclass
class Known:
    """What each file is answered alone: the truth that every later answer is held against."""

    photos: list[File]
    hostile: dict[str, File]
    secret: File
    """A photo of a visitor whom others try to spy on."""
    page: PageEvent
    screened: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    shown: dict[bytes, tuple[str, str]] = field(default_factory=dict)
    points: list[Any] = field(default_factory=list)
    compared: int = 0
    """How many answers were held against it."""
    busy: int = 0
    """How often the queue was full and said so."""


async def learn(visitor: Visitor, photos: list[File], hostile: dict[str, File], secret: File) -> Known:
    """Ask for everything once, one after the other, on a server that nobody else uses."""
    known = Known(photos, hostile, secret, await page_event(visitor))
    for file in [*photos, *hostile.values()]:
        path = await visitor.upload(f"NAME{file.suffix}", file.content)
        known.screened[file.content] = await visitor.call("screen", [uploaded(path), None])
    for file in photos[:: max(1, len(photos) // 8)]:
        known.shown[file.content] = await shown_for(visitor, known.page, file)
    known.points = [await visitor.call("operating_point", point) for point in load_files.GOOD_POINTS]
    return known


def faults_of(known: Known) -> list[str]:
    """What is wrong with the answers alone: then there is no truth to compare with."""
    found = []
    for file in known.photos:
        alone = known.screened[file.content]
        if alone.get("error") or not alone.get("quality"):
            found.append(f"a sound photo was refused: {alone}")
    for name, file in known.hostile.items():
        if not _clear(known.screened[file.content].get("error")):
            found.append(f"{name}: no sentence, but {known.screened[file.content]}")
    answers = [known.screened[file.content].get("probability") for file in known.photos]
    if len({answer for answer in answers if answer is not None}) < len(answers) / 2:
        found.append("the photos have too few different answers to tell one visitor's from another's")
    return found


async def screen(visitor: Visitor, known: Known, chance: random.Random) -> None:
    await _screened(visitor, known, chance, chance.choice(known.photos))


async def wrong_suffix(visitor: Visitor, known: Known, chance: random.Random) -> None:
    """A sound photo by the name of something else: told by content, it has its usual answer."""
    photo = chance.choice(known.photos)
    await _screened(visitor, known, chance, File(chance.choice([".txt", ".zip", ".exe", ""]), photo.content))


async def hostile(visitor: Visitor, known: Known, chance: random.Random) -> None:
    """A file, or now and then a whole request that is too much."""
    if chance.random() < 0.2:
        path, body = load_files.LONG_BODIES[chance.choice(sorted(load_files.LONG_BODIES))]
        answer = await visitor.post(path, body())
        if not 400 <= answer.status_code < 500 or not _clear(sentence(answer.text)):
            raise UnclearError(f"a long request to {path} was answered {answer.status_code}: {answer.text[:200]!r}")
        return
    await _screened(visitor, known, chance, known.hostile[chance.choice(sorted(known.hostile))])


async def slow(visitor: Visitor, known: Known, chance: random.Random) -> None:
    """A bad line: the photo comes in drops, and the answer is read line by line."""
    await _screened(visitor, known, chance, chance.choice(known.photos), pause=chance.uniform(0.05, 0.3))


async def page(visitor: Visitor, known: Known, chance: random.Random) -> None:
    """The page itself, with its own stream of events: verdict and picture are the photo's."""
    content = chance.choice(sorted(known.shown))
    async with visitor.on_the_page():
        file = next(photo for photo in known.photos if photo.content == content)
        shown = await _patiently(known, chance, lambda: shown_for(visitor, known.page, file))
    known.compared += 1
    if shown != known.shown[content]:
        raise WrongError("the page showed another answer or picture than for this photo alone")


async def batch(visitor: Visitor, known: Known, chance: random.Random) -> None:
    """Some photos, a hostile file among them, and a ZIP of two more."""
    files = [*chance.sample(known.photos, 3), known.hostile[chance.choice(sorted(known.hostile))]]
    chance.shuffle(files)
    packed = chance.sample(known.photos, 2)
    inside = {_name(chance, file.suffix): file for file in packed}
    archive = load_files.archive({name: file.content for name, file in inside.items()})
    paths = [await visitor.upload(_name(chance, file.suffix), file.content) for file in files]
    paths.append(await visitor.upload(_name(chance, ".zip"), archive))
    given = [[uploaded(path) for path in paths], None]
    answer = await _patiently(known, chance, lambda: visitor.call("batch", given))
    if "photos" not in answer:
        raise UnclearError(f"a batch was answered: {answer}")
    rows = {PurePosixPath(row["file"]).name: row for row in answer["photos"]}
    # The last path is the archive's, whose photos are in `inside`.
    named = {PurePosixPath(path).name: file for path, file in zip(paths[:-1], files, strict=True)}
    for name, file in {**named, **inside}.items():
        if file.content.startswith(b"PK"):  # a hostile "photo" that is an archive, and to /batch a good one
            continue
        if name not in rows:
            raise WrongError(f"a batch has no row for a file that was sent, but for {sorted(rows)}")
        _check(known, file, rows[name], name)


async def burst(visitor: Visitor, known: Known, chance: random.Random) -> None:
    """More at once than there is room for: whoever is sent away with the sentence comes again, and is answered."""
    files = chance.sample(known.photos, min(3, len(known.photos)))
    names = [_name(chance, file.suffix) for file in files]
    paths = [await visitor.upload(name, file.content) for name, file in zip(names, files, strict=True)]

    async def one(turn: int) -> None:
        which = turn % len(files)
        answer = await _patiently(known, chance, lambda: visitor.call("screen", [uploaded(paths[which]), None]))
        _check(known, files[which], answer, names[which])

    found = await asyncio.gather(*map(one, range(AT_ONCE)), return_exceptions=True)
    failed = [outcome for outcome in found if outcome is not None]
    for failure in sorted(failed, key=lambda failure: not isinstance(failure, WrongError)):
        raise failure


async def cancelled_upload(visitor: Visitor, known: Known, chance: random.Random) -> None:
    await visitor.break_off_upload(_name(chance, ".jpg"), chance.choice(known.photos).content)


async def dropped_answer(visitor: Visitor, known: Known, chance: random.Random) -> None:
    """A photo whose visitor goes away before the answer, or never listens for it."""
    photo = chance.choice(known.photos)
    path = await visitor.upload(_name(chance, photo.suffix), photo.content)
    event = await _patiently(known, chance, lambda: visitor.ask("screen", [uploaded(path), None]))
    if chance.random() < 0.5:
        await visitor.drop_answer("screen", event)


async def trespass(visitor: Visitor, known: Known, chance: random.Random) -> None:
    """Every address that can be worked out for another visitor's photo, and files of the server."""
    own = PurePosixPath(await visitor.upload(_name(chance, ".jpg"), chance.choice(known.photos).content))
    folder, hashed = own.parent.parent, hashlib.sha256(known.secret.content).hexdigest()
    guesses = [
        f"{folder}/{hashed}/secret.jpg",
        f"{folder}/*/secret.jpg",
        f"{own.parent}/../{hashed}/secret.jpg",
        f"{own.parent}/%2e%2e/%2e%2e/secret.jpg",
        str(folder),
        str(folder.parent),
        "/etc/hostname",
        "../../etc/hostname",
        "app.py",
        "assets/model.safetensors",
    ]
    guess = chance.choice(guesses)
    answer = await visitor.get(f"/gradio_api/file={guess}")
    known.compared += 1
    if answer.status_code == 200 or known.secret.content in answer.content:
        raise WrongError(f"file={guess} was handed out")
    if not _clear(sentence(answer.text)):
        raise UnclearError(f"file={guess} was answered {answer.status_code}: {answer.text[:200]!r}")
    for photo in (uploaded(guess), {"path": guess}):
        screened = await _patiently(known, chance, partial(visitor.call, "screen", [photo, None]))
        if screened.get("probability") is not None:
            raise WrongError(f"{guess} was screened for a visitor who did not send it")
        if not _clear(screened.get("error")):
            raise UnclearError(f"{guess} for a photo was answered {screened}")


async def point(visitor: Visitor, known: Known, chance: random.Random) -> None:
    """Thresholds and prevalences, most of them nonsense."""
    which = chance.randrange(len(load_files.GOOD_POINTS))
    right = await _patiently(known, chance, lambda: visitor.call("operating_point", load_files.GOOD_POINTS[which]))
    known.compared += 1
    if right != known.points[which]:
        raise WrongError(f"the operating point {load_files.GOOD_POINTS[which]} was answered {right}")
    bad = chance.choice(load_files.BAD_POINTS)
    answer = await _patiently(known, chance, lambda: visitor.call("operating_point", bad))
    if not _clear(answer.get("error")):
        raise UnclearError(f"the operating point {bad} was answered {answer}")


Request = Callable[[Visitor, Known, random.Random], Awaitable[None]]
MIX: dict[str, tuple[Request, int]] = {
    "good photo": (screen, 52),
    "good photo on the page": (page, 8),
    "good photo, wrong suffix": (wrong_suffix, 3),
    "hostile file": (hostile, 10),
    "batch with a ZIP": (batch, 4),
    "burst of photos": (burst, 3),
    "slow client": (slow, 5),
    "cancelled upload": (cancelled_upload, 5),
    "dropped answer": (dropped_answer, 3),
    "trespass": (trespass, 3),
    "operating point": (point, 4),
}
"""Every kind and its share of all requests, in percent."""


async def _screened(visitor: Visitor, known: Known, chance: random.Random, file: File, pause: float = 0) -> None:
    name = _name(chance, file.suffix)
    path = await visitor.upload(name, file.content, pause)
    answer = await _patiently(known, chance, lambda: visitor.call("screen", [uploaded(path), None], pause))
    _check(known, file, answer, name)


async def _patiently(known: Known, chance: random.Random, ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask again, a bounded number of times, while the queue is full."""
    for _ in range(BUSY_TRIES):
        try:
            return await ask()
        except BusyError:
            known.busy += 1
            await asyncio.sleep(chance.uniform(*_BUSY_PAUSE))
    raise UnclearError(f"the queue was full {BUSY_TRIES} times in a row")


def _check(known: Known, file: File, answer: dict[str, Any], name: str) -> None:
    """Hold an answer against the one to the same file alone: UnclearError or WrongError where they differ."""
    known.compared += 1
    alone = known.screened[file.content]
    error = answer.get("error")
    if alone.get("error"):
        if not _clear(error):
            raise UnclearError(f"a hostile file was answered {answer}")
        if _nameless(str(error), name) != _nameless(alone["error"], f"NAME{file.suffix}"):
            raise WrongError(f"another sentence than alone: {error} (alone: {alone['error']})")
        return
    if error:
        raise UnclearError(f"a sound photo was refused: {error}")
    same = all(answer[part] == alone[part] for part in ("flagged", "quality"))
    probability, right = answer["probability"], alone["probability"]
    if right is None or probability is None:
        same &= right is probability
    else:
        same &= abs(probability - right) <= TOLERANCE
    if not same:
        raise WrongError(f"{answer} is not the answer alone: {alone}")


def _clear(error: object) -> bool:
    """Whether this is a sentence of ours for a visitor, and not Gradio's silence or Python's words."""
    return isinstance(error, str) and error.endswith(".") and " " in error and "Traceback" not in error


def _nameless(error: str, name: str) -> str:
    return error.replace(name, "…")


def _name(chance: random.Random, suffix: str) -> str:
    return f"{chance.randrange(16**12):012x}{suffix}"
