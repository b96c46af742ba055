"""The list of what is installed names every package that the app asks for, and no pickle is read anywhere."""

import ast

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


def test_the_list_that_is_committed_names_what_requirements_ask_for():
    for requirement in requirements(ROOT / "requirements.txt"):
        line = next(line for line in LISTED.splitlines() if line.lower().startswith(f"| {requirement.name.lower()} |"))
        assert requirement.specifier.contains(line.split("|")[2].strip())


def test_nothing_is_unpickled():
    allowed = {"isic_screen/network.py"}  # torch.load with weights_only, for weights in .pth files
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
