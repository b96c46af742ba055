"""A batch of photos of one visitor: what was found, and how it is listed. No Gradio."""

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from html import escape
from itertools import islice
from pathlib import Path
from typing import Literal

from PIL import Image

from isic_screen.archive import Archive, is_zip, stated_entries, told_apart
from isic_screen.batch import ScreensPhotos
from isic_screen.errors import PhotoError
from isic_screen.files import PassedOver
from isic_screen.hashing import short_hash
from isic_screen.operating_point import OperatingPoint, restate
from isic_screen.photo import open_photo
from isic_screen.screener import Screening
from isic_screen.ui.answer import Case, icon, weak_class, weak_threshold
from isic_screen.ui.numbers import against, localised, percent
from isic_screen.ui.texts import Texts
from isic_screen.ui.upload import given_name

Answer = Literal["refer", "below", "unscreened"]
FILTERS: tuple[str, ...] = ("all", "refer", "below", "unscreened")

MAX_PHOTOS = 1_000
"""In one batch on the page; the command line takes any number."""
ROWS_SHOWN = 50
"""Rows in one part of the table: five hundred pictures at once would hold up a browser."""

_AT_ONCE = 8
_KEPT_SIDE, _THUMBNAIL_SIDE = 480, 72  # pixels


@dataclass(frozen=True)
class Row:
    """One photo of a batch. `picture` and `thumbnail` are WebP files, empty where the photo could not be read.

    `sha256` is the `short_hash` of its file as it was given.
    """

    name: str
    result: Screening | PhotoError
    picture: bytes = b""
    thumbnail: bytes = b""
    sha256: str = ""

    def answer(self, threshold: float) -> Answer:
        """What the threshold, on the model file's scale, says about it."""
        if isinstance(self.result, PhotoError) or self.result.quality.verdict == "unfit":
            return "unscreened"
        return "refer" if self.result.flagged(threshold) else "below"

    def case(self, screening: Screening) -> Case:
        """The photo as the other tab shows it, in fewer pixels, with its screening."""
        return Case(Image.open(io.BytesIO(self.picture)).convert("RGB"), screening, self.name, self.sha256)


@dataclass
class Batch:
    """What one visitor gave and what was found so far; lives in the visitor's session only."""

    rows: list[Row] = field(default_factory=list)
    complete: bool = False
    """Whether the run came to its end."""
    stopped: bool = False
    """Whether the visitor stopped it; a run that ended as neither has failed."""
    passed_over: PassedOver = field(default_factory=PassedOver)
    """What lies in the ZIPs beside the photos."""
    paths: Sequence[str] = ()
    """The uploads that the rows come from, one or many of each, in this order; they are deleted after a while."""
    run: int | None = None
    """By which the browser tells it from the batches before."""

    def sorted(self, threshold: float, chosen: str) -> list[tuple[int, Row]]:
        """(number, row) of those that the filter lets through: by falling probability, then what was not screened."""

        def place(numbered: tuple[int, Row]) -> tuple[bool, float]:
            row = numbered[1]
            if row.answer(threshold) == "unscreened" or isinstance(row.result, PhotoError):
                return True, 0.0
            return False, -row.result.probability

        listed = [(n, row) for n, row in enumerate(self.rows) if chosen in ("all", row.answer(threshold))]
        return sorted(listed, key=place)

    def source(self, number: int) -> Path | bytes | None:
        """The photo of a row as it was given, or None where the upload is deleted.

        To score a photo again: a row's `picture` has too few pixels for that. In an archive it costs unpacking what
        comes before.
        """
        if not all(Path(path).is_file() for path in self.paths):  # the others would be counted wrongly
            return None
        _, source = next(islice(Uploads(self.paths), number, None))
        return None if isinstance(source, PhotoError) else source


class Uploads:
    """(name, photo) of uploaded files and of what is in uploaded ZIPs, at most MAX_PHOTOS; each ZIP is opened once.

    No two names are alike. A file that was uploaded by itself is tried whatever it is; `passed_over` counts what was
    not looked at in the ZIPs that were opened.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = [Path(path) for path in paths]
        self._names = [given_name(path) for path in paths]
        self._expected = [stated_entries(path) if is_zip(path) else 1 for path in self._paths]
        self.passed_over = PassedOver()

    @property
    def expected(self) -> int:
        """How many photos there are; of a ZIP that is not opened yet, by its own word."""
        return min(MAX_PHOTOS, sum(self._expected))

    def __iter__(self) -> Iterator[tuple[str, Path | bytes | PhotoError]]:
        found = self._all()
        yield from islice(found, MAX_PHOTOS)
        if next(found, None) is not None:
            yield (
                "…",
                PhotoError(
                    f"There are more than {MAX_PHOTOS:,} photos. The rest is left out: screen it in another batch, or "
                    "with the command line, which takes any number."
                ),
            )

    def _all(self) -> Iterator[tuple[str, Path | bytes | PhotoError]]:
        seen: dict[str, int] = {}
        for number, (path, name) in enumerate(zip(self._paths, self._names, strict=True)):
            if not is_zip(path):
                yield told_apart(name, seen), path
                continue
            with Archive(path, name) as archive:
                self._expected[number] = len(archive)
                self.passed_over.add(archive.passed_over)
                for inside, photo in archive:
                    yield told_apart(inside, seen), photo


def screen(screener: ScreensPhotos, given: Iterable[tuple[str, Path | bytes | PhotoError]]) -> Iterator[list[Row]]:
    """Rows as they are found, a few at a time; memory is bounded by these few."""

    def read(item: tuple[str, Path | bytes | PhotoError]) -> tuple[Image.Image | PhotoError, str]:
        name, source = item
        if isinstance(source, PhotoError):
            return source, ""
        try:
            return open_photo(source, name=name), short_hash(source)
        except PhotoError as error:
            return error, short_hash(source)

    items = iter(given)
    with ThreadPoolExecutor(2, thread_name_prefix="batch") as pool:
        while some := list(islice(items, _AT_ONCE)):
            photos = list(pool.map(read, some))
            found = iter(screener.screen_many([photo for photo, _ in photos if not isinstance(photo, PhotoError)]))
            yield [
                Row(name, photo, sha256=sha256)
                if isinstance(photo, PhotoError)
                else Row(name, next(found), _webp(photo, _KEPT_SIDE), _webp(photo, _THUMBNAIL_SIDE), sha256)
                for (name, _), (photo, sha256) in zip(some, photos, strict=True)
            ]


def progress(done: int, expected: int, seconds: float, texts: Texts) -> str:
    """How far a running batch is, and how long it will take at the pace of the `seconds` so far."""
    left = timedelta(seconds=round(seconds / done * max(0, expected - done))) if done else None
    sentence = texts.BATCH_RUNNING.format(photos=done, of=expected)
    rest = "" if left is None else " " + texts.BATCH_LEFT.format(time=str(left).removeprefix("0:"))
    bar = f'<progress value="{done}" max="{expected}"></progress>'
    return f'<p class="batch-progress"><label>{sentence}{rest} {bar}</label></p>'


def result(sentence: str, batch: Batch, texts: Texts) -> str:
    """How a run ended, and what was not looked at."""
    said = sentence.format(photos=len(batch.rows))
    if over := batch.passed_over:
        hidden, others = (localised(f"{count:,}", texts) for count in (over.hidden, over.others.total()))
        said += " " + texts.BATCH_PASSED_OVER.format(hidden=hidden, others=others, kinds=over.kinds)
    return f'<p class="batch-progress">{escape(said)}</p>'


def table(batch: Batch, point: OperatingPoint, prevalence: float, chosen: str, part: int, texts: Texts) -> str:
    """The batch as HTML at an operating point on the model's scale: counts, and one part (from 1) of the table."""
    if not batch.rows:
        return ""
    answers = [row.answer(point.threshold) for row in batch.rows]
    threshold, probabilities = _written(batch.rows, point, prevalence, texts)
    counts = texts.BATCH_COUNTS.format(
        refer=answers.count("refer"), below=answers.count("below"), unscreened=answers.count("unscreened"),
        threshold=threshold, prevalence=percent(prevalence, texts),
    )  # fmt: skip
    listed = batch.sorted(point.threshold, chosen)
    first = min((part - 1) * ROWS_SHOWN, max(0, (len(listed) - 1) // ROWS_SHOWN * ROWS_SHOWN))
    rows = "".join(
        _tr(number, row, answers[number], probabilities.get(number, ""), texts)
        for number, row in listed[first : first + ROWS_SHOWN]
    )
    shown = "" if listed else texts.BATCH_NONE_SHOWN
    if len(listed) > 1:
        shown = texts.BATCH_SHOWN.format(first=first + 1, last=min(first + ROWS_SHOWN, len(listed)), of=len(listed))
    shown = f'<p class="small">{shown}</p>' if shown else ""
    return (
        f'<div class="card batch{weak_class(point)}"><p class="sentence">{counts}</p>{weak_threshold(point, texts)}'
        f'<div class="scroll" tabindex="0" role="region" '
        f'aria-label="{texts.TAB_BATCH}"><table><thead><tr>'
        f'<th scope="col"><span class="unseen">{texts.BATCH_PICTURE}</span></th><th scope="col">{texts.BATCH_FILE}</th>'
        f'<th scope="col">{texts.BATCH_PROBABILITY}</th><th scope="col">{texts.BATCH_ANSWER}</th>'
        f'<th scope="col">{texts.BATCH_QUALITY}</th></tr></thead><tbody>{rows}</tbody></table></div>'
        f"{shown}</div>"
    )


def parts(batch: Batch, threshold: float, chosen: str) -> int:
    """In how many parts the table comes, at least 1."""
    return max(1, -(-len(batch.sorted(threshold, chosen)) // ROWS_SHOWN))


def _webp(photo: Image.Image, side: int) -> bytes:
    copy = photo.copy()
    copy.thumbnail((side, side))
    buffer = io.BytesIO()
    copy.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


def _written(rows: Sequence[Row], point: OperatingPoint, prevalence: float, texts: Texts) -> tuple[str, dict[int, str]]:
    """The threshold and, by their numbers, the probabilities of the rows that have an answer, in words."""
    shown = {
        number: restate(row.result.probability, point.prevalence, prevalence)
        for number, row in enumerate(rows)
        if not isinstance(row.result, PhotoError) and row.answer(point.threshold) != "unscreened"
    }
    threshold, written = against(point.restated(prevalence).threshold, list(shown.values()), texts)
    return threshold, dict(zip(shown, written, strict=True))


def _tr(number: int, row: Row, answer: Answer, probability: str, texts: Texts) -> str:
    words = {"refer": texts.REFER, "below": texts.BELOW, "unscreened": texts.BATCH_UNSCREENED}[answer]
    if isinstance(row.result, PhotoError):
        remark, picture = escape(texts.fault(str(row.result))), ""
        name = f"<span>{escape(row.name)}</span>"
    else:
        quality = row.result.quality
        labels = {"fit": texts.PHOTO_FIT, "doubtful": texts.PHOTO_DOUBTFUL, "unfit": texts.PHOTO_UNFIT}
        remark = escape("; ".join(texts.reason(reason) for reason in quality.reasons)) or labels[quality.verdict]
        picture = f'<img src="data:image/webp;base64,{base64.b64encode(row.thumbnail).decode()}" alt="">'
        # A button, so that the keyboard reaches it: assets/page.js tells the server which.
        name = f'<button type="button" data-photo="{number}">{escape(row.name)}</button>'
    return (
        f'<tr class="{answer}"><td>{picture}</td><td class="name">{name}</td><td class="number">{probability}</td>'
        f'<td class="answer">{icon("unfit" if answer == "unscreened" else answer)} {words}</td>'
        f'<td class="remark">{remark}</td></tr>'
    )
