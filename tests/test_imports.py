"""Imports go one way, as README.md says."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "isic_screen"


def _imported(folder: Path) -> dict[str, set[str]]:
    """What each file of a folder imports, anywhere in it."""
    found = {}
    for file in sorted(folder.rglob("*.py")):
        names: set[str] = set()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file}: imports are absolute"
                names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        found[str(file.relative_to(ROOT))] = names
    return found


def _offenders(imported: dict[str, set[str]], *unwanted: str) -> dict[str, list[str]]:
    found = {
        file: sorted(name for name in names if any(name == one or name.startswith(f"{one}.") for one in unwanted))
        for file, names in imported.items()
    }
    return {file: names for file, names in found.items() if names}


@pytest.mark.parametrize(
    ("folder", "unwanted"),
    [
        ("data", ("isic_screen.training", "isic_screen.evaluation")),
        ("evaluation", ("isic_screen.training",)),
        ("serving", ("isic_screen.training", "isic_screen.evaluation", "isic_screen.data")),
        ("ui", ("isic_screen.training", "isic_screen.evaluation", "isic_screen.data")),
    ],
)
def test_no_package_imports_one_above_it(folder, unwanted):
    imported = _imported(PACKAGE / folder)
    assert imported
    assert _offenders(imported, *unwanted) == {}


def test_only_the_page_imports_gradio_and_nothing_imports_the_page():
    rest = {file: names for file, names in _imported(PACKAGE).items() if not file.startswith("isic_screen/ui/")}
    assert len(rest) > 50
    assert _offenders(rest, "gradio", "isic_screen.ui") == {}


def test_screening_loads_neither_training_nor_data():
    program = "import sys, isic_screen.screener; print(*(n for n in sys.modules if n.startswith('isic_screen.')))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "isic_screen.screener" in loaded
    above = ("isic_screen.training", "isic_screen.data", "isic_screen.evaluation", "isic_screen.ui")
    assert [name for name in loaded if name.startswith(above)] == []
