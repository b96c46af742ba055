"""How the page is served: settings, login, headers, a path behind a proxy, MCP, and what is left behind: nothing."""

import base64
import gc
import io
import json
import os
import re
import threading
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from gradio_client import Client, handle_file
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image
from starlette.middleware import Middleware
from starlette.requests import Request

from isic_screen.serving import Guard
from isic_screen.serving.guard import BUSY, HEADERS, NO_ADDRESSES
from isic_screen.serving.sentences import NO_ANSWER
from tests.by_hand import Visitor, uploaded
from tests.conftest import ROOT
from tests.prefix_proxy import proxied
from tests.serving import run_apart, running_app

EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"
PREFIX = "/derma"
STATIC = re.compile(r'(?:src|href)="\./(assets/[^"]+)"')
PLACE = "Ward 7, Elm Street"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The app behind a path, with MCP, and its log."""
    log = tmp_path_factory.mktemp("app") / "app.log"
    with running_app(log, "--root-path", PREFIX, "--mcp") as address:
        yield address, log


@pytest.fixture
def visitor(app):
    visitor = Visitor(app[0])
    yield visitor
    visitor.close()


def jpeg():
    """A drawn lesion as a phone would save it, with where it was taken."""
    exif = Image.Exif()
    exif[0x010E] = PLACE  # ImageDescription
    exif.get_ifd(0x8825)[1] = "N"  # GPSLatitudeRef
    file = io.BytesIO()
    with Image.open(EXAMPLE) as drawn:
        drawn.save(file, "JPEG", exif=exif)
    return file.getvalue()


# What every answer carries


@pytest.mark.parametrize(
    "path", ["", "config", "healthz", "gradio_api/info", "static/nothing.js", "nothing", "gradio_api/deep_link"]
)
def test_every_answer_has_the_safe_headers(visitor, path):
    answer = visitor.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


def test_only_what_is_the_same_for_all_may_be_kept_by_a_browser(visitor):
    asset = STATIC.search(visitor.get("").text)[1]
    assert "no-store" not in visitor.get(asset).headers.get("cache-control", "")
    photo = visitor.upload("photo.jpg", jpeg())
    for path in ("", "config", "gradio_api/info", "healthz", f"gradio_api/file={photo}"):
        answer = visitor.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"


def test_nothing_may_come_from_another_host():
    policy = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    elsewhere = {name for name, sources in policy.items() if "http" in sources or "*" in sources}
    assert elsewhere == {"frame-ancestors"}  # who may show the page, not what the page may load


def test_the_start_is_told_in_two_lines(app, bundled_model):
    address, log = app
    facts = bundled_model.facts
    assert log.read_text().splitlines()[:2] == [f"Page:  {address}{PREFIX}/", f"Model: {facts.name} {facts.version}"]
    assert "share" not in log.read_text()


def test_a_request_of_the_wrong_form_is_answered_with_a_sentence_and_not_with_itself(visitor):
    for path, body in (("queue/join", {"data": {"mrs-smith.jpg": 1}}), ("cancel", {"event_id": ["mrs-smith.jpg"]})):
        answer = visitor.http.post(f"gradio_api/{path}", json=body)
        assert answer.status_code == 422
        assert answer.json() == {"detail": NO_ANSWER}


def test_health_says_which_model_answers(visitor, bundled_model):
    answer = visitor.get("healthz")
    assert answer.status_code == 200
    facts = bundled_model.facts
    assert answer.json() == {"status": "ok", "model": facts.name, "version": facts.version}


# Nothing is fetched, nothing is kept


def test_an_address_in_place_of_a_photo_is_not_fetched(visitor):
    for path in ("https://example.org/a.jpg", " HTTP://example.org/a.jpg"):
        refused = visitor.join({"data": [uploaded(path), None], "fn_index": 0})
        assert refused.status_code == 403
        assert refused.json()["detail"] == NO_ADDRESSES
        assert visitor.get(f"gradio_api/file={path}").status_code in (403, 404)
    assert visitor.get("gradio_api/file=https://example.org/a.jpg").json()["detail"] == NO_ADDRESSES


def test_a_request_that_is_nested_deep_is_refused(visitor):
    answer = visitor.http.post(
        "gradio_api/queue/join",
        content=b"[" * 10_000 + b"]" * 10_000,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 403


def test_no_metadata_and_no_name_come_back_and_no_name_is_logged(app, visitor):
    photo = visitor.upload("mrs-smith.jpg", jpeg())
    answers = [visitor.show(photo), str(visitor.screen(photo))]
    for broken in (b"no photo", jpeg()[:2000]):
        answers.append(str(visitor.screen(visitor.upload("mr-jones.jpg", broken))))
    assert not any(PLACE in answer for answer in answers)
    pictures = re.findall(r"data:image/\w+;base64,([A-Za-z0-9+/=]+)", answers[0])
    assert pictures
    for picture in pictures:
        content = base64.b64decode(picture)
        assert PLACE.encode() not in content
        assert not Image.open(io.BytesIO(content)).getexif()
    log = app[1].read_text()
    assert "smith" not in log
    assert "jones" not in log


def test_no_name_is_logged_of_a_photo_that_was_asked_about_in_a_wrong_way(app, visitor):
    """The reason that Gradio logs would quote it: no mark of a file, one where a list was wanted, too few inputs."""
    photo = visitor.upload("mrs-smith.jpg", jpeg())
    sent = [{"path": photo}, [{"path": photo}], {"path": photo, "orig_name": "mr-jones.jpg"}, "mrs-smith.jpg"]
    for endpoint in ("screen", "batch"):
        for given in sent:
            for data in ([given, None], [given]):
                visitor.http.post(f"gradio_api/run/{endpoint}", json={"data": data})
            event = visitor.http.post(f"gradio_api/call/{endpoint}", json={"data": [given, None]}).json()["event_id"]
            assert "error" in visitor.get(f"gradio_api/call/{endpoint}/{event}").text
    visitor.show({"path": photo})
    log = app[1].read_text()
    assert "smith" not in log
    assert "jones" not in log


# No answer without a sentence, and no trace of who went away


@pytest.mark.parametrize(
    ("endpoint", "data"),
    [
        ("operating_point", ["one half", 0.1]),
        ("operating_point", []),
        ("screen", [None, None]),
        ("screen", [{"path": "/etc/hostname"}, None]),
        ("batch", [None, None]),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_sentence(visitor, endpoint, data):
    """By each of the three ways to ask: Gradio's own answer is `null`."""
    event = visitor.http.post(f"gradio_api/call/{endpoint}", json={"data": data}).json()["event_id"]
    assert json.dumps({"error": NO_ANSWER}) in visitor.get(f"gradio_api/call/{endpoint}/{event}").text

    number = next(event["id"] for event in visitor.config()["dependencies"] if event["api_name"] == endpoint)
    visitor.join({"data": data, "fn_index": number}).raise_for_status()
    completed = json.loads(visitor.completed().removeprefix("data:"))
    assert completed["success"] is False
    assert completed["output"]["error"] == NO_ANSWER

    direct = visitor.http.post(f"gradio_api/run/{endpoint}", json={"data": data})
    assert direct.status_code == 500
    assert direct.json()["error"] == NO_ANSWER


def test_a_reason_of_our_own_is_passed_on(visitor):
    """Where there is a sentence, it stays."""
    direct = visitor.http.post("gradio_api/run/screen", json={"data": [uploaded("/etc/hostname"), None]})
    told = direct.json()["error"]
    assert told.endswith(".")
    answer = visitor.screen(visitor.upload("broken.jpg", jpeg()[:2000]))
    assert answer["error"].startswith("broken.jpg")


def test_an_endpoint_that_there_is_not_is_a_sentence(visitor):
    for way in ("call", "run"):
        answer = visitor.http.post(f"gradio_api/{way}/nothing", json={"data": []})
        assert answer.status_code >= 400
        assert answer.json()["detail"] == NO_ANSWER


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/gradio_api/queue/join"])
def test_a_visitor_who_goes_away_is_no_fault(path):
    """No trace in the log, no answer to nobody, and no half request goes on to Gradio."""
    parts = [{"type": "http.request", "body": b'{"data": [', "more_body": True}, {"type": "http.disconnect"}]
    asked, sent = [], []

    async def app(scope, receive, send):
        asked.append(await Request(scope, receive).body())

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    open_to_all = SimpleNamespace(auth=None)
    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "app": open_to_all}
    run_apart(Guard(app)(scope, receive, send))
    assert asked == sent == []


# A login


def test_a_login_keeps_others_out_and_nothing_is_left_when_the_server_stops(tmp_path):
    log = tmp_path / "app.log"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ISIC_SCREEN_USER", "ward")
        environment.setenv("ISIC_SCREEN_PASSWORD", "hush-hush")
        with running_app(log) as address:
            stranger, member = Visitor(address), Visitor(address)
            try:
                assert stranger.get("healthz").status_code == 200
                for path in ("config", "gradio_api/info", "gradio_api/file=app.py"):
                    assert stranger.get(path).status_code == 401, path
                refused = stranger.http.post("gradio_api/upload", files={"files": ("a.jpg", jpeg())})
                assert refused.status_code == 401
                assert stranger.join({"data": [], "fn_index": 0}).status_code == 401
                wrong = {"username": "ward", "password": "hush"}
                assert stranger.http.post("login", data=wrong).status_code == 400
                assert stranger.get("config").status_code == 401

                right = {"username": "ward", "password": "hush-hush"}
                assert member.http.post("login", data=right).status_code == 200
                photo = member.upload("photo.jpg", jpeg())
                assert member.screen(photo)["model"]
                assert stranger.get(f"gradio_api/file={photo}").status_code == 401
                assert os.path.isfile(photo)
                member.screen(str(Path(photo).parents[1]))  # the folder itself; Gradio would mark it as to be deleted
            finally:
                stranger.close()
                member.close()
    assert not os.path.exists(photo)
    assert [path for path in (tmp_path / "uploads").rglob("*") if path.is_file()] == []
    assert "hush" not in log.read_text()
    assert "shutdown failed" not in log.read_text()


# Behind a proxy


def test_page_and_api_work_under_a_path_that_the_proxy_takes_away(app, tmp_path, bundled_model):
    with proxied(app[0], PREFIX) as address:
        page = httpx.get(address + "/")
        assert page.status_code == 200
        assets = STATIC.findall(page.text)
        assert assets
        for asset in assets:
            assert httpx.get(f"{address}/{asset}").status_code == 200
        client = Client(address, verbose=False, download_files=str(tmp_path), analytics_enabled=False)
        try:
            assert client.config["root"] == address
            assert client.predict(api_name="/model")["sha256"] == bundled_model.sha256
            result = client.predict(handle_file(str(EXAMPLE)), None, api_name="/screen")
            assert 0 < result["probability"] < 1
        finally:
            client.close()


# A full queue


@pytest.fixture
def waiting_page():
    """A page whose only event waits to be released, with room for one more; and a sign that it waits."""
    release, waits = threading.Event(), threading.Event()

    def wait() -> None:
        waits.set()
        release.wait(60)

    with gr.Blocks(analytics_enabled=False) as page:
        gr.Button().click(wait, None, None, api_name="wait", concurrency_limit=1)
    _, address, _ = page.queue(max_size=1).launch(
        prevent_thread_lock=True, quiet=True, ssr_mode=False, app_kwargs={"middleware": [Middleware(Guard)]}
    )
    yield address, waits
    release.set()
    page.close()
    gc.collect()  # what Gradio leaves open is told here, and not in whichever test comes next


# Gradio leaves event loops open when it builds a page in the process of the test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_full_queue_is_a_sentence(waiting_page):
    address, waits = waiting_page
    visitor = Visitor(address.rstrip("/"))
    try:
        ask = {"data": [], "fn_index": 0}
        assert visitor.join(ask).status_code == 200
        assert waits.wait(60)
        assert visitor.join(ask).status_code == 200
        full = visitor.join(ask)
    finally:
        visitor.close()
    # Gradio's page shows `detail` for every status but 503, for which it has a text of its own.
    assert full.status_code == 429
    assert full.json() == {"detail": BUSY}
    assert int(full.headers["Retry-After"]) > 0
    assert full.headers["Referrer-Policy"] == "no-referrer"


# MCP


def test_an_mcp_client_finds_and_uses_the_tools(app, bundled_model):
    contents = EXAMPLE.read_bytes(), b"no photo"
    photo, broken = (f"data:image/jpeg;base64,{base64.b64encode(content).decode()}" for content in contents)

    async def used():
        async with (
            streamable_http_client(f"{app[0]}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name.removeprefix("api_"): tool for tool in (await session.list_tools()).tools}
            answers = {
                "model": await session.call_tool(tools["model"].name, {}),
                "operating_point": await session.call_tool(
                    tools["operating_point"].name, {"threshold": 0.01, "prevalence": 0.018}
                ),
                "screen": await session.call_tool(tools["screen"].name, {"photo": photo, "threshold": 0.01}),
                "elsewhere": await session.call_tool(
                    tools["screen"].name, {"photo": "https://example.org/a.jpg", "threshold": 0.01}
                ),
                "batch": await session.call_tool(tools["batch"].name, {"photos": [photo, broken, photo]}),
                "batch elsewhere": await session.call_tool(
                    tools["batch"].name, {"photos": [photo, "https://example.org/a.jpg"]}
                ),
            }
            return tools, answers

    tools, answers = run_apart(used())
    assert set(tools) >= {"screen", "batch", "operating_point", "model"}
    assert "probability" in tools["screen"].description
    assert "sensitivity" in tools["operating_point"].description
    assert "model file" in tools["model"].description
    for name in ("elsewhere", "batch elsewhere"):
        assert answers.pop(name).isError
    results = {name: answer.structuredContent for name, answer in answers.items()}
    for name, answer in answers.items():
        assert [json.loads(content.text) for content in answer.content] == [results[name]]
    assert results["model"]["sha256"] == bundled_model.sha256
    assert 0 < results["screen"]["probability"] < 1
    assert results["screen"]["threshold"] == 0.01
    assert 0 < results["operating_point"]["sensitivity"]["value"] <= 1
    first, unreadable, again = results["batch"]["photos"]
    assert first == {**again, "file": first["file"]}
    assert again["file"] == f"{first['file']} (3)"  # two uploads of one name are told apart
    assert first["probability"] == pytest.approx(results["screen"]["probability"], abs=1e-6)
    assert unreadable["error"]
