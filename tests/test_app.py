"""app.py as it is started and called, without a browser."""

import ast
import json
import re
import shutil
import subprocess
import urllib.request
import zipfile

import pytest
from gradio_client import Client, handle_file

from isic_screen import Screener, open_photo
from tests.conftest import ROOT, lesion
from tests.forks import run
from tests.serving import running_app

EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    log = tmp_path_factory.mktemp("app") / "app.log"
    with running_app(log) as address:
        yield address, log


@pytest.fixture(scope="module")
def client(app, tmp_path_factory):
    with_downloads = tmp_path_factory.mktemp("downloads")
    client = Client(app[0], verbose=False, download_files=str(with_downloads), analytics_enabled=False)
    yield client
    client.close()


def test_the_api_gives_the_screeners_answer(client, bundled_model):
    result = client.predict(handle_file(str(EXAMPLE)), None, api_name="/screen")
    expected = Screener(bundled_model).screen(open_photo(EXAMPLE))
    assert result["probability"] == pytest.approx(expected.probability, abs=1e-6)
    assert result["threshold"] == bundled_model.facts.default_threshold
    assert result["flagged"] == expected.flagged(bundled_model.facts.default_threshold)
    assert result["quality"] == expected.quality.summary


def test_the_api_answers_a_broken_file_with_a_sentence(client, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    result = client.predict(handle_file(str(broken)), 0.5, api_name="/screen")
    assert result["probability"] is None
    assert "broken.jpg" in result["error"]


def test_many_photos_and_zips_are_answered_together_and_a_bad_one_stops_nothing(client, tmp_path):
    lesion(0).save(tmp_path / "a.png")
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(EXAMPLE, "folder/example.jpg")
    given = [handle_file(str(tmp_path / name)) for name in ("a.png", "broken.jpg", "more.zip")]
    result = client.predict(given, None, api_name="/batch")
    alone = client.predict(handle_file(str(EXAMPLE)), None, api_name="/screen")
    assert [photo["file"] for photo in result["photos"]] == ["a.png", "broken.jpg", "folder/example.jpg"]
    assert result["photos"][1]["probability"] is None
    assert "broken.jpg" in result["photos"][1]["error"]
    assert result["photos"][2]["probability"] == pytest.approx(alone["probability"], abs=1e-4)
    assert result["photos"][2]["flagged"] == alone["flagged"]
    for field in ("prevalence", "threshold", "model"):
        assert result[field] == alone[field]


@pytest.fixture
def beside_a_photo(tmp_path, monkeypatch):
    """A folder with what the README's examples name."""
    shutil.copy(EXAMPLE, tmp_path / "photo.jpg")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(tmp_path / "photo.jpg", "again.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _example(kind: str, address: str) -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = (text for text in re.findall(rf"```{kind}\n(.*?)```", readme, re.DOTALL) if ":7860" in text)
    return example.replace("http://127.0.0.1:7860", address)


def test_the_readmes_python_example_works_as_written(app, beside_a_photo):
    answers = []
    calls = re.compile(r"^(page\.predict\(.*\))  #.*$", re.MULTILINE)
    example = calls.sub(r"answers.append(\1)", _example("py", app[0]))
    exec(compile(example, "README.md", "exec"), {"answers": answers})
    one, many, point, model = answers
    assert 0 < one["probability"] < 1
    assert [photo["file"] for photo in many["photos"]] == ["photo.jpg", "again.jpg"]
    assert point["prevalence"] == 0.005
    assert model["sha256"] in one["model"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_readmes_curl_example_works_as_written(app, client, beside_a_photo):
    done = subprocess.run(
        ["bash", "-euc", _example("sh", app[0])], capture_output=True, text=True, timeout=120, cwd=beside_a_photo
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("data: "))
    (answer,) = json.loads(line.removeprefix("data: "))
    assert answer == client.predict(handle_file("photo.jpg"), None, api_name="/screen")


def test_only_the_api_is_public(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/screen", "/batch", "/operating_point", "/model"}


def test_the_api_says_what_a_threshold_means(client, bundled_model):
    facts = bundled_model.facts
    own = client.predict(None, None, api_name="/operating_point")
    expected = facts.threshold_table.at(facts.default_threshold)
    assert own["threshold"] == facts.default_threshold
    assert own["sensitivity"]["count"] == expected.sensitivity.count
    assert own["per_1000"]["found"] == pytest.approx(expected.per_1000.found)
    twice = client.predict(facts.default_threshold, 2 * facts.prevalence, api_name="/operating_point")
    assert twice["per_1000"]["found"] == pytest.approx(2 * own["per_1000"]["found"])
    assert twice["sensitivity"] == own["sensitivity"]
    assert twice["ppv"] > own["ppv"]
    without = facts.other_cameras.at(facts.default_threshold)
    assert own["other_cameras"]["specificity"]["count"] == without.specificity.count < own["specificity"]["count"]
    assert own["other_cameras"]["per_1000"]["missed"] == pytest.approx(without.per_1000.missed)
    assert twice["other_cameras"]["per_1000"]["found"] == pytest.approx(2 * without.per_1000.found)
    assert "between 0 and 1" in client.predict(1.5, None, api_name="/operating_point")["error"]


def test_the_api_tells_about_the_model(client, bundled_model):
    told = client.predict(api_name="/model")
    assert told["sha256"] == bundled_model.sha256
    assert told["limits"] == list(bundled_model.facts.limits)
    assert told["training"]["sources"] == bundled_model.facts.training["sources"]
    assert not {"threshold_table", "other_cameras"} & set(told)


@pytest.mark.parametrize("mark", [{}, {"meta": {"_type": "gradio.FileData"}}])
def test_a_request_by_hand_gets_no_picture_of_the_servers_own(app, tmp_path, mark):
    private = tmp_path / "private.jpg"
    lesion(0).save(private)
    address = f"{app[0]}/gradio_api"
    with urllib.request.urlopen(f"{app[0]}/config") as answer:
        config = json.load(answer)
    photo = next(part["id"] for part in config["components"] if part["props"].get("elem_id") == "photo")
    function = next(
        event["id"] for event in config["dependencies"] if event["queue"] and [photo, "change"] in event["targets"]
    )
    session = f"by-hand-{len(mark)}"
    request = {
        "data": [None, {"path": str(private), **mark}, None, 1.8, "Grad-CAM"],
        "fn_index": function,
        "session_hash": session,
    }
    join = urllib.request.Request(
        f"{address}/queue/join", json.dumps(request).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(join).close()
    with urllib.request.urlopen(f"{address}/queue/data?session_hash={session}", timeout=30) as events:
        done = next(line.decode() for line in events if b"process_completed" in line)
    assert json.loads(done.removeprefix("data:"))["success"] is False
    assert "data:image" not in done


def test_no_run_is_kept(app):
    with urllib.request.urlopen(f"{app[0]}/config") as answer:
        assert json.load(answer)["run_history"] is False


def test_nothing_about_photos_is_logged(app, client, tmp_path):
    photo = tmp_path / "mrs-smith.jpg"
    lesion(0).save(photo)
    client.predict(handle_file(str(photo)), None, api_name="/screen")
    assert "smith" not in app[1].read_text()


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "There is no model file"), (b"not a model", "no whole safetensors file")]
)
def test_a_model_that_cannot_be_loaded_is_a_sentence(content, sentence, tmp_path):
    model = tmp_path / "model.safetensors"
    if content is not None:
        model.write_bytes(content)
    done = run("app.py", "--model", model)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_app_py_stays_short_and_only_the_page_knows_gradio():
    assert len((ROOT / "app.py").read_text().splitlines()) < 60
    for path in (ROOT / "isic_screen").rglob("*.py"):
        imported = _imports(path.read_text())
        inside = path.relative_to(ROOT / "isic_screen").parts
        if inside[0] != "ui":
            assert not any(name.split(".")[0] == "gradio" for name in imported), path
            assert not any(name.startswith("isic_screen.ui") for name in imported), path
        if inside == ("screener.py",):
            assert not any(name.startswith(("isic_screen.training", "isic_screen.data")) for name in imported)


def _imports(source: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
