"""What a visitor sends is read only as far as it is of use, and nobody else waits for it."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from types import SimpleNamespace
from urllib.parse import urlsplit

import gradio as gr
import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.load_files import LONG_BODIES
from isic_screen.serving import Guard
from isic_screen.serving.bodies import FEW_VALUES, LONGEST, LONGEST_LOGIN, LONGEST_WITH_PHOTOS, MOST_VALUES
from isic_screen.serving.guard import NO_ADDRESSES, NO_LOGIN, TOO_LONG
from isic_screen.ui.texts import LANGUAGES
from isic_screen.ui.uploads import data_uris_too, only_uploads
from tests.serving import run_apart, running_app

PREDICTIONS = ("/gradio_api/queue/join", "/gradio_api/call/batch", "/gradio_api/run/screen", "/gradio_api/api/screen")
OTHERS = ("/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/mcp/", "/config")


def guarded(login=None):
    """What a request is answered behind the guard, by an app that sends back what it reads."""

    async def echo(scope, receive, send):
        await Response(await Request(scope, receive).body())(scope, receive, send)

    app = SimpleNamespace(auth=login, cookie_id="abc", tokens={"token-of-ann": "ann"})

    async def served(scope, receive, send):
        await Guard(echo)({**scope, "app": app}, receive, send)

    def asked(path, body, **options):
        async def ask():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://page") as client:
                return await client.post(path, content=body, **options)

        return run_apart(ask())

    return asked


def request(*data):
    return json.dumps({"data": data}, separators=(",", ":")).encode()


def photo(size):
    """A data URI with so many bytes."""
    return "data:image/jpeg;base64," + "A" * (size - 23)


def page_file(number):
    """An upload as the page names it, with a long name that has to be escaped in an address."""
    path = f"/tmp/isic-screen-abcdefgh/{'0123456789abcdef' * 4}/Muttermal am linken Unterarm {number}.jpg"
    url = f"http://ward.example/derma/gradio_api/file={path.replace(' ', '%20')}"
    meta = {"_type": "gradio.FileData"}
    rest = {"size": 3_000_000, "mime_type": "image/jpeg", "is_stream": False, "meta": meta}
    return {"path": path, "url": url, "orig_name": path.rpartition("/")[2], **rest}


LET_THROUGH = {
    "a thousand uploads": (PREDICTIONS, request([page_file(n) for n in range(1000)], None)),
    "a photo": ((*PREDICTIONS, "/gradio_api/mcp/"), request(photo(6_000_000), None)),
    "photos with escaped slashes": (
        PREDICTIONS,
        request([photo(10**6)] * 5).replace(b"AAAAAAAAAAAAAAAA", b"A\\/AAAAA"),
    ),
    "as many values as may be": (PREDICTIONS, request(*[0] * (MOST_VALUES - 100))),
    "few values": (OTHERS, request(*[0] * (FEW_VALUES - 100))),
    "a name and a password": (("/login",), b"username=ward&password=hush"),
}
REFUSED = {
    "text": ((*PREDICTIONS, *OTHERS), request("A" * LONGEST)),
    "a photo too many": (PREDICTIONS, request(*[photo(10**6)] * 9)),
    "a photo where none is expected": (("/gradio_api/cancel", "/login"), request(photo(2 * 10**6))),
    "text beside a photo": (PREDICTIONS, request("A" * LONGEST, photo(10**6))),
    "text that names a data URI": (PREDICTIONS, request("A" * LONGEST, "data:")),
    "a quotation mark in a data URI": (PREDICTIONS, request('data:"', "A" * LONGEST)),
    "escapes": (PREDICTIONS, request("data:" + "\\" * LONGEST)),
    "two-byte characters, which might hide values": (PREDICTIONS, '{"data":["摢瑡㩡"]}'.encode("utf-16")),
    "values": (PREDICTIONS, request(*[0] * MOST_VALUES)),
    "lists": (PREDICTIONS, request(*[[]] * (MOST_VALUES // 2))),
    "depth": (PREDICTIONS, b'{"data":' + b"[" * MOST_VALUES),
    "data URIs without anything": (PREDICTIONS, request(*["data:"] * MOST_VALUES)),
    "more than few values": (OTHERS, request(*[0] * FEW_VALUES)),
    "a long password": (("/login",), b"username=ward&password=" + b"h" * LONGEST_LOGIN),
}
assert LONGEST < 6_000_000 < LONGEST_WITH_PHOTOS < 9_000_000


@pytest.mark.parametrize("name", LET_THROUGH)
def test_what_the_page_and_its_api_need_arrives_whole(name):
    paths, body = LET_THROUGH[name]
    for path in paths:
        answer = guarded()(path, body)
        assert answer.status_code == 200, path
        assert answer.content == body


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("name", REFUSED)
def test_what_would_hold_up_others_is_refused(name, announced):
    async def pieces(body):
        for start in range(0, len(body), 2**16):
            yield body[start : start + 2**16]

    paths, body = REFUSED[name]
    for path in paths:
        refused = guarded()(path, body if announced else pieces(body))
        assert refused.status_code == 413, path
        assert refused.json()["detail"] == TOO_LONG


def test_an_address_beside_a_photo_is_found():
    """Also where a data URI ends otherwise than it seems to."""
    for beside in (photo(3 * 10**6), 'data:"', 'data:\\"'):
        answer = guarded()("/gradio_api/queue/join", request({"path": "https://example.org/a.jpg"}, beside))
        assert answer.status_code == 403
        assert answer.json()["detail"] == NO_ADDRESSES


@pytest.mark.parametrize("path", [*PREDICTIONS, *OTHERS, "/gradio_api/upload"])
def test_nothing_is_read_of_a_visitor_without_login(path):
    async def unread():
        pytest.fail("the body was read")
        yield b""

    asked = guarded(login=lambda user, password: False)
    for cookie in ("none=1", "access-token-abc=guessed", "access-token-unsecure-xyz=token-of-ann"):
        refused = asked(path, unread(), headers={"Cookie": cookie})
        assert refused.status_code == 401
        assert refused.json()["detail"] == NO_LOGIN
    for cookie in ("access-token-abc", "access-token-unsecure-abc"):
        assert asked(path, b"{}", headers={"Cookie": f"{cookie}=token-of-ann"}).content == b"{}"


# Ten at a time, to a real server


@contextmanager
def ten_under_way(address, path, body):
    """Ten requests by ten visitors; their statuses, once they are done."""
    statuses = []

    def send():
        connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        statuses.append(connection.getresponse().status)
        connection.close()

    with ThreadPoolExecutor(10) as pool:
        sent = [pool.submit(send) for _ in range(10)]
        yield statuses
        for request in sent:
            request.result()


def slowest_health(address, path, body):
    """Seconds that /healthz takes at most while ten such requests run, and their statuses."""
    slowest = 0.0
    with httpx.Client(base_url=address, timeout=60) as http, ten_under_way(address, path, body) as statuses:
        while len(statuses) < 10:
            asked = time.perf_counter()
            assert http.get("/healthz").status_code == 200
            slowest = max(slowest, time.perf_counter() - asked)
    return slowest, statuses


@pytest.fixture(scope="module", params=[None, "hush-hush"], ids=["open", "login"])
def server(request, tmp_path_factory):
    """Its address, and whether it asks for a login."""
    with pytest.MonkeyPatch.context() as environment:
        if request.param:
            environment.setenv("ISIC_SCREEN_USER", "ward")
            environment.setenv("ISIC_SCREEN_PASSWORD", request.param)
        with running_app(tmp_path_factory.mktemp("app") / "app.log") as address:
            yield address, bool(request.param)


@pytest.mark.parametrize("name", LONG_BODIES)
def test_others_are_answered_while_ten_long_requests_run(server, name):
    (address, login), (path, body) = server, LONG_BODIES[name]
    for _ in range(3):  # whatever else the machine is busy with
        slowest, statuses = slowest_health(address, path, body())
        assert set(statuses) <= ({401} if login and path != "/login" else {413, 422})
        if slowest < 0.5:
            return
    pytest.fail(f"/healthz took {slowest:.1f} s")


def test_an_upload_with_a_part_that_is_no_file_is_refused(server):
    """Gradio would gather it in memory, of any length."""
    address, login = server
    parts = {"note": (None, b"A" * 2**20), "files": ("a.jpg", b"no photo")}
    refused = httpx.post(f"{address}/gradio_api/upload", files=parts)
    assert refused.status_code == (401 if login else 400)
    assert "files" in refused.text or login


# What Gradio does with what is let through


def test_of_a_list_of_wrong_files_the_first_fault_is_told():
    for also in (lambda files: None, lambda files: data_uris_too(files, LANGUAGES[0])):
        files = gr.File(file_count="multiple")
        only_uploads(files, LANGUAGES[0])
        also(files)
        with pytest.raises(ValueError, match="1 validation error"):
            files.data_model.model_validate([{"name": "mrs-smith.jpg"}] * 1000)


def test_others_have_their_turn_between_two_files_of_a_list(tmp_path):
    turns = []

    async def others():
        while True:
            turns.append(len(turns))
            await asyncio.sleep(0)

    async def moved():
        files = gr.File(file_count="multiple")
        only_uploads(files, LANGUAGES[0])
        waiting = asyncio.create_task(others())
        for _ in range(10):
            await files.async_move_resource_to_block_cache(str(tmp_path / "photo.jpg"))
        waiting.cancel()

    run_apart(moved())
    assert len(turns) >= 9
