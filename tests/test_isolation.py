"""What one visitor can learn of another's photo: nothing, by any address they can know or work out.

What this rests on, said plainly. Gradio does not tie an upload or a session to who made it. A photo lies under
`/gradio_api/file=FOLDER/HASH/NAME`: FOLDER has a random part, new with each start, which every visitor learns from an
upload of their own; HASH is SHA-256 over a random seed of the installation and the photo's content; NAME is the file's.
Without the seed, which never leaves the server, HASH cannot be worked out. Only who has the same photo, byte for byte,
learns its HASH by uploading it, and could then try names to find out whether somebody else did so lately. Answers wait
under a session hash that the visitor's browser, or the API client, draws at random (about 50 and 122 bits).

Whoever is given another's full address or session hash, for example from a proxy's log, could use it until the upload
is deleted or the answer is fetched. So docs/serving.md asks operators to keep addresses out of logs.
"""

import hashlib
import io
import json
from pathlib import PurePosixPath

import pytest
from PIL import Image

from benchmarks.load_files import drawn
from benchmarks.load_page import question
from tests.by_hand import Visitor, uploaded
from tests.serving import running_app

NAME = "photo.jpg"


def jpeg(seed):
    return drawn(seed).content


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with running_app(tmp_path_factory.mktemp("app") / "app.log") as address:
        yield address


@pytest.fixture(scope="module")
def ann(address):
    """A visitor whose photo has been screened; `path` is where it lies, `answer` what she was shown."""
    ann = Visitor(address)
    ann.content = jpeg(1)
    ann.path = ann.upload(NAME, ann.content)
    ann.answer = ann.show(ann.path)
    yield ann
    ann.close()


@pytest.fixture
def bob(address):
    """Another visitor, with an upload of his own."""
    bob = Visitor(address)
    bob.path = bob.upload(NAME, jpeg(2))
    yield bob
    bob.close()


def test_a_photo_is_shown_to_its_owner(ann):
    """So that what others do not get is there to be had."""
    assert ann.get(f"gradio_api/file={ann.path}").content == ann.content
    assert "data:image/" in ann.answer
    assert json.loads(ann.answer.removeprefix("data:"))["success"]


def test_no_address_that_can_be_worked_out_has_anothers_photo(ann, bob):
    own = PurePosixPath(bob.path)
    folder = own.parent.parent
    hashed = hashlib.sha256(ann.content).hexdigest()
    guesses = [
        str(folder),
        f"{folder}/",
        f"{folder}/{NAME}",
        f"{folder}/{hashed}/{NAME}",
        f"{folder}/*/{NAME}",
        f"{own.parent}/../{NAME}",
        f"{own.parent}/%2e%2e/{NAME}",
        f"{folder.parent}",
        f"../{folder.name}/{hashed}/{NAME}",
        NAME,
        f"{folder}/deep_links",
    ]
    for guess in guesses:
        answer = bob.get(f"gradio_api/file={guess}")
        assert answer.status_code != 200, guess
        assert ann.content not in answer.content
        assert PurePosixPath(ann.path).parent.name not in answer.text  # no listing either


def test_the_way_to_a_photo_is_not_its_content_alone(ann):
    parts = PurePosixPath(ann.path).parts
    assert parts[-2] != hashlib.sha256(ann.content).hexdigest()
    assert len(parts[-2]) == 64
    assert parts[-3].startswith("isic-screen-")


def test_anothers_answer_is_in_no_session_but_theirs(ann, bob):
    for session in (bob.session, "", "0", "null", "undefined", ann.session[:-1]):
        events = bob.overheard(f"gradio_api/queue/data?session_hash={session}")
        assert "process_completed" not in events
        assert "data:image" not in events
    assert bob.get("gradio_api/queue/data").status_code == 422


def test_an_answer_is_given_once(ann, bob):
    """Even who learns a session hash afterwards finds nothing there."""
    events = bob.overheard(f"gradio_api/queue/data?session_hash={ann.session}")
    assert "data:image" not in events


def test_an_event_that_was_not_asked_for_has_no_answer(bob):
    events = bob.overheard("gradio_api/call/screen/00000000000000000000000000000000")
    assert "probability" not in events


def test_the_page_remembers_for_each_visitor_alone(ann, bob):
    """The event that follows the slider has the visitor's case as its state: Bob's is empty."""
    config = bob.config()
    slider = next(part["id"] for part in config["components"] if part["props"].get("elem_id") == "sensitivity")
    events = [event for event in config["dependencies"] if [slider, "input"] in event["targets"]]
    event = next(event for event in events if event["backend_fn"])  # the others are the browser's alone
    defaults = {part["id"]: part["props"].get("value") for part in config["components"]}

    def verdict(visitor):
        data = [defaults.get(part) for part in event["inputs"]]
        data[0] = question(visitor.path)
        visitor.join({"data": data, "fn_index": event["id"]}).raise_for_status()
        held, *_ = json.loads(visitor.completed().removeprefix("data:"))["output"]["data"]
        return held["values"].get("answer")

    hers, his = verdict(ann), verdict(bob)
    assert 'class="figure' in hers
    assert his is None


def test_a_path_that_is_not_an_upload_is_refused(bob):
    for path in ("/etc/hostname", "app.py", "assets/examples/synthetic-naevus.jpg"):
        assert bob.get(f"gradio_api/file={path}").status_code in (403, 404)
        endpoint = next(event["id"] for event in bob.config()["dependencies"] if event["api_name"] == "screen")
        bob.join({"data": [uploaded(path), None], "fn_index": endpoint}).raise_for_status()
        assert json.loads(bob.completed().removeprefix("data:"))["success"] is False


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/deep_link?session_hash={session}",
        "gradio_api/monitoring",
        "monitoring",
        "monitoring/summary",
        "gradio_api/token",
        "gradio_api/component_server",
        "gradio_api/run-history/records",
        "gradio_api/proxy=https://example.hf.space/",
        "gradio_api/stream/{session}/0/0/playlist.m3u8",
        "gradio_api/vibe-code",
        "gradio_api/dev/reload",
    ],
)
def test_what_the_page_has_no_use_for_is_not_there(ann, bob, path):
    """Some of these would write a visitor's answers to disk, or tell how much others use the page."""
    assert bob.get(path.format(session=ann.session)).status_code == 404


def test_an_upload_is_the_photo_alone(ann, bob):
    """The same photo, uploaded by its other owner, comes back as what he uploaded."""
    again = bob.upload("mine.jpg", ann.content)
    assert Image.open(io.BytesIO(bob.get(f"gradio_api/file={again}").content)).size == (480, 360)
    assert bob.get(f"gradio_api/file={PurePosixPath(again).with_name('other.jpg')}").status_code in (403, 404)
