"""The list of what is installed names every package that the app asks for, and no pickle is read anywhere."""

import ast
import re
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy import dependencies
from deploy.dependencies import as_markdown, installed, requirements
from tests.conftest import ROOT

LISTED = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")


def test_every_requirement_and_what_it_needs_is_found():
    wanted = requirements(ROOT / "requirements.txt")
    packages = list(installed(wanted))
    names = {package.metadata["Name"].lower().replace("_", "-") for package in packages}
    assert {requirement.name.lower() for requirement in wanted} <= names
    assert {"jinja2", "starlette", "huggingface-hub"} <= names  # by way of others
    assert "pytest" not in names
    text = as_markdown(packages)
    assert all(f"| {package.metadata['Name']} | {package.version} |" in text for package in packages)


@pytest.mark.parametrize("order", [("plain", "wanting"), ("wanting", "plain")])
def test_an_extra_that_one_package_asks_for_and_another_does_not_is_found(monkeypatch, order):
    needs = {
        "plain": ["shared"],
        "wanting": ["shared[more]"],
        "shared": ['further; extra == "more"', 'not-asked-for; extra == "tests"', "always"],
    }

    def packaged(name: str) -> SimpleNamespace:
        return SimpleNamespace(name=name, requires=needs.get(name))

    monkeypatch.setattr(dependencies, "distribution", packaged)
    found = [package.name for package in installed([Requirement(name) for name in order])]
    assert found == ["always", "further", "plain", "shared", "wanting"]


def test_the_list_that_is_committed_names_what_requirements_ask_for():
    for requirement in requirements(ROOT / "requirements.txt"):
        rows = (line for line in LISTED.splitlines() if line.startswith("| "))
        name = canonicalize_name(requirement.name)
        line = next(line for line in rows if canonicalize_name(line.split("|")[1].strip()) == name)
        assert requirement.specifier.contains(line.split("|")[2].strip())


def test_the_lock_has_a_hash_for_every_package_and_follows_the_requirements():
    joined = (ROOT / "deploy" / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    lines = [line.split() for line in joined if line.strip() and not line.lstrip().startswith("#")]
    locked = {}
    for pinned, *hashes in lines:
        name, version = pinned.split("==")
        locked[name] = version
        assert hashes, name
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), name
    for requirement in requirements(ROOT / "requirements.txt"):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement
    listed = [line.split("|")[1:3] for line in LISTED.splitlines() if line.count("|") == 4 and "---" not in line][1:]
    missing = {canonicalize_name(name.strip()) for name, _ in listed} - set(locked)
    assert not missing, missing  # what is listed with its licence is what is locked


def test_nothing_is_unpickled():
    allowed = {"isic_screen/weights.py"}  # torch.load with weights_only, for weights in .pth files
    for path in [*(ROOT / "isic_screen").rglob("*.py"), *(ROOT / "train").rglob("*.py"), ROOT / "app.py"]:
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = ast.unparse(node.func)
                assert called not in ("pickle.load", "pickle.loads", "joblib.load", "np.load.pickle"), name
                keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                if called == "torch.load":
                    assert name in allowed
                    assert keywords.get("weights_only") == "True", name
                if called == "np.load":
                    assert keywords.get("allow_pickle", "False") == "False", name
