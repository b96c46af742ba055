"""The folder for a Space and the Dockerfile: built as far as this machine can, and the app started from each."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from packaging.requirements import Requirement

from deploy import build_space as build_space_module
from deploy.build_space import LARGEST, NOTE, SpaceError, build_space, main
from tests.conftest import ROOT

EXAMPLE = ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"
INSTRUCTIONS = {"FROM", "ARG", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}
START_SECONDS = 240


# The Space


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    out = tmp_path_factory.mktemp("space") / "out"
    return out, build_space(out)


def test_the_space_holds_what_runs_and_nothing_else(space):
    out, files = space
    assert {path.relative_to(out) for path in out.rglob("*") if path.is_file()} == set(files)
    assert {path.parts[0] for path in files} == {
        "README.md", "LICENSE", "SECURITY.md", "app.py", "requirements.txt", "isic_screen", "assets", "docs",
        "train", "deploy", "benchmarks",
    }  # fmt: skip
    assert not any(path.suffix == ".py" for path in files if path.parts[0] in ("train", "deploy", "benchmarks"))
    assert not any(path.suffix == ".pyc" or path.name.startswith(".") for path in files)
    modules = {path.relative_to(ROOT) for path in (ROOT / "isic_screen").rglob("*.py")}
    assert modules <= set(files)
    changed = [path for path in files if (out / path).read_bytes() != (ROOT / path).read_bytes()]
    assert changed == [Path("README.md")]


def test_the_readme_says_first_what_the_folder_lacks(space):
    out, _ = space
    readme = (out / "README.md").read_text(encoding="utf-8")
    assert readme.replace(NOTE, "", 1) == (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.index(NOTE) < readme.index("# isic-screen")


def test_what_its_documents_link_to_is_there(space):
    out, _ = space
    dead = [
        f"{document.relative_to(out)}: {link}"
        for document in out.rglob("*.md")
        for link in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
        if "://" not in link and not (document.parent / link).exists()
    ]
    assert dead == []


def test_the_front_matter_is_one_that_a_space_takes(space):
    _, front, _ = (space[0] / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    fields = dict(re.findall(r"^(\w+): *(.*)$", front, re.MULTILINE))
    assert fields["sdk"] == "gradio"
    assert (space[0] / fields["app_file"]).is_file()
    assert len(fields["short_description"]) <= 60
    assert fields["suggested_hardware"] == "cpu-basic"
    gradio = next(
        Requirement(line) for line in (space[0] / "requirements.txt").read_text().splitlines() if "gradio" in line
    )
    assert gradio.specifier.contains(fields["sdk_version"])


def test_a_folder_that_holds_something_is_left_alone(tmp_path, capsys):
    (tmp_path / "old.txt").write_text("old")
    assert main([str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["old.txt"]


@pytest.fixture
def small_clone(tmp_path, monkeypatch):
    """A clone of three files."""
    monkeypatch.setattr(build_space_module, "CONTENTS", ("README.md", "app.py", "assets/*.safetensors"))
    root = tmp_path / "clone"
    (root / "assets").mkdir(parents=True)
    (root / "README.md").write_text("---\nsdk: gradio\n---\n")
    (root / "app.py").touch()
    (root / "assets" / "model.safetensors").touch()
    return root


def test_a_file_too_large_for_a_space_is_a_sentence(small_clone, tmp_path):
    os.truncate(small_clone / "assets" / "model.safetensors", LARGEST + 1)
    with pytest.raises(SpaceError, match=r"model\.safetensors has 10\.0 MB"):
        build_space(tmp_path / "out", small_clone)
    assert not (tmp_path / "out").exists()


def test_a_missing_part_is_a_sentence(small_clone, tmp_path):
    (small_clone / "app.py").unlink()
    with pytest.raises(SpaceError, match=r"has no app\.py"):
        build_space(tmp_path / "out", small_clone)


def test_a_readme_without_front_matter_is_a_sentence(small_clone, tmp_path):
    (small_clone / "README.md").write_text("# isic-screen\n")
    with pytest.raises(SpaceError, match="front matter"):
        build_space(tmp_path / "out", small_clone)


def test_the_app_answers_from_the_space(space, tmp_path):
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path / "uploads"), "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)
    with started([sys.executable, "app.py"], space[0], environment, tmp_path / "app.log") as address:
        client = Client(address, verbose=False, download_files=str(tmp_path), analytics_enabled=False)
        try:
            result = client.predict(handle_file(str(EXAMPLE)), None, api_name="/screen")
            assert 0 < result["probability"] < 1
        finally:
            client.close()


# The image


def instructions(text):
    """The instructions of a Dockerfile as (word, rest), continued lines joined and comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(word, " ".join(rest.split())) for word, rest in (line.strip().split(" ", 1) for line in joined)]


DOCKERFILE = instructions((ROOT / "Dockerfile").read_text(encoding="utf-8"))


def of(word):
    return [rest for found, rest in DOCKERFILE if found == word]


def copied():
    """(sources, destination) of every COPY."""
    return [(parts[:-1], parts[-1]) for parts in map(shlex.split, of("COPY"))]


def test_every_instruction_is_one_that_is_checked_here():
    assert {word for word, _ in DOCKERFILE} == INSTRUCTIONS
    assert DOCKERFILE[0][0] == "FROM"


def test_the_base_is_pinned_and_its_python_is_one_we_support():
    assert re.fullmatch(r"python:3\.1[1-4]\.\d+-slim-\w+", of("FROM")[0])
    assert len(of("FROM")) == 1


def test_the_image_runs_as_a_user_who_is_made_and_is_not_root():
    (user,) = of("USER")
    assert user not in ("root", "0")
    made = [words for words in map(shlex.split, of("RUN")) if words[0] == "useradd"]
    assert len(made) == 1
    assert made[0][made[0].index("--uid") + 1] == user
    words = [word for word, _ in DOCKERFILE]
    assert "RUN" not in words[words.index("USER") :]
    assert "COPY" not in words[words.index("USER") :]


def test_nothing_is_fetched_unchecked_and_no_cache_stays():
    for command in of("RUN"):
        assert not re.search(r"\b(curl|wget|sudo|apt-get|chmod 777)\b", command)
        if "pip install" in command:
            assert "--no-cache-dir" in command
    assert not of("ADD")


def test_commands_are_lists_so_that_the_app_gets_dockers_signal():
    (health,) = of("HEALTHCHECK")
    assert json.loads(of("CMD")[0]) == ["python", "app.py"]
    assert json.loads(health.split(" CMD ", 1)[1])[0] == "python"
    assert re.search(r"--timeout=\d+s", health)


def test_no_secret_is_baked_in():
    for settings in of("ENV") + of("ARG"):
        assert not re.search(r"PASSWORD|SECRET|TOKEN|_KEY|ISIC_SCREEN_USER", settings)


def test_every_source_exists_and_reaches_the_builder(tmp_path):
    sources = [source for sources, _ in copied() for source in sources]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not ignored(source), source
    for kept_out in (".git", "runs", "tests", ".venv", "train", "assets/screenshots/a.png", "isic_screen/a.pyc"):
        assert ignored(kept_out), kept_out


def ignored(path):
    """Whether .dockerignore keeps a path out; the last pattern that fits decides, as Docker has it."""
    out = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip().removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        parts = path.split("/")
        ways = {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}
        if pattern.startswith("**/"):
            ways, pattern = set(parts), pattern.removeprefix("**/")
        if any(fnmatch.fnmatchcase(way, pattern) and way.count("/") == pattern.count("/") for way in ways):
            out = not line.startswith("!")
    return out


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The files that COPY would put into the image, read-only, as `docker run --read-only` has them."""
    work = tmp_path_factory.mktemp("image")
    for sources, destination in copied():
        for source in sources:
            origin = ROOT / source
            for file in [origin] if origin.is_file() else sorted(origin.rglob("*")):
                name = file.relative_to(ROOT).as_posix()
                if file.is_file() and not ignored(name):
                    target = work / (Path(destination) / origin.name if destination.endswith("/") else destination)
                    target = target if origin.is_file() else target / file.relative_to(origin)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)
                    target.chmod(0o444)
    return work


def test_what_the_image_would_install_is_what_is_tested_here(image):
    """`pip install` itself is not run: it would take minutes and change this environment."""
    install = next(command for command in of("RUN") if "pip install" in command)
    unlocked, locked = re.findall(r"-r (\S+)", install)
    assert f"--require-hashes -r {locked}" in install
    assert (image / locked).read_bytes() == (ROOT / "deploy" / "requirements.lock").read_bytes()
    for line in (image / unlocked).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            requirement = Requirement(line)
            assert requirement.specifier.contains(version(requirement.name)), line


def test_python_steps_of_the_build_run(image):
    steps = [shlex.split(command) for command in of("RUN") if command.startswith("python ") and "pip" not in command]
    assert steps
    for step in steps:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(image / "bytecode")}
        subprocess.run([sys.executable, *step[1:]], cwd=image, env=environment, check=True, timeout=120)
    assert list((image / "bytecode").rglob("layout*.pyc"))


def test_the_images_command_answers_its_own_health_check_and_writes_only_to_its_temporary_folder(image, tmp_path):
    settings = dict(pair.split("=", 1) for pair in shlex.split(" ".join(of("ENV"))))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    settings = {name: str(temporary) if value == "/tmp" else value for name, value in settings.items()}
    settings["GRADIO_SERVER_NAME"] = "127.0.0.1"
    environment = {**os.environ, "TMPDIR": str(temporary), **settings}
    environment.pop("PYTHONPATH", None)
    before = {path for path in image.rglob("*") if path.name != "bytecode"}
    health = json.loads(of("HEALTHCHECK")[0].split(" CMD ", 1)[1])
    command = [sys.executable, *json.loads(of("CMD")[0])[1:]]
    with started(command, image, environment, tmp_path / "app.log") as address:
        environment["GRADIO_SERVER_PORT"] = address.rsplit(":", 1)[1]
        check = [sys.executable, *health[1:]]
        assert subprocess.run(check, env=environment, timeout=60).returncode == 0
    assert subprocess.run(check, env=environment, timeout=60, stderr=subprocess.DEVNULL).returncode != 0
    assert {path for path in image.rglob("*") if path.name != "bytecode"} == before
    assert not list(temporary.glob("isic-screen-*"))


@contextmanager
def started(command, folder, environment, log):
    """The address of the app that `command` starts in `folder`, with only that folder's package to import."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with open(log, "w") as output:
        app = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, "GRADIO_SERVER_PORT": port},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/healthz", app, log)
            yield address
        finally:
            app.terminate()
            app.wait(60)


def wait_for(address, app, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and app.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the app did not start:\n{log.read_text()}")
