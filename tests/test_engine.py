"""What computes the network says what the network says, whoever it is, and tells nobody."""

import os
import re
import subprocess
import sys

import pytest
import torch
from torch import nn

from isic_screen.engine import GRAPHS as FOLDER
from isic_screen.engine import _session, engine_of, graph_file
from isic_screen.folding import folded
from isic_screen.log import warn_once
from isic_screen.network import build_network
from tests.conftest import ROOT
from tests.test_folding import _unsettled

CPU = torch.device("cpu")
GRAPHS = [
    ("tf_efficientnet_lite2", 192, False),
    ("tf_efficientnet_lite2", 224, False),
    ("tf_efficientnet_lite0", 224, False),
    ("tf_efficientnet_lite0+tf_efficientnet_lite0", 224, False),
    ("tf_efficientnet_lite2+tf_efficientnet_lite2", 192, True),
]


def _built(backbone: str, size: int, turned: bool):
    torch.manual_seed(3)
    members = 1 + backbone.count("+")
    return _unsettled(
        build_network(backbone, weights=None, hidden=128 * members, input_size=size, members_turned=turned)
    )


def test_every_graph_is_tested():
    assert {graph_file(_built(*graph)).name for graph in GRAPHS} == {file.name for file in FOLDER.glob("*.onnx")}


@pytest.mark.parametrize(("backbone", "size", "turned"), GRAPHS)
def test_a_graph_says_what_a_network_of_any_weights_says(backbone, size, turned):
    network = _built(backbone, size, turned)
    assert _session(folded(network)) is not None
    engine = engine_of(network, CPU)
    for count in (1, 3):
        images = torch.randn(count, 3, size, size)
        with torch.inference_mode():
            for found, expected in zip(engine(images), network.forward_whole(images), strict=True):
                torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


def test_the_bundled_model_has_a_graph(bundled_model):
    assert graph_file(bundled_model.network).is_file()
    assert _session(folded(bundled_model.network)) is not None


@pytest.fixture
def warned(caplog):
    """What is logged, with nothing said yet."""
    warn_once.cache_clear()
    return caplog


def test_a_network_without_a_graph_is_computed_all_the_same(warned):
    network = build_network("resnet10t", weights=None, hidden=8)
    assert _session(folded(network)) is None
    images = torch.randn(2, 3, network.input_spec.size, network.input_spec.size)
    with torch.inference_mode():
        found, expected = engine_of(network, CPU)(images), network.forward_whole(images)
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-3, atol=1e-4)
    assert len(warned.messages) == 1  # however often it is asked for
    assert warned.messages[0].startswith("There is no ONNX Runtime graph for resnet10t-8-")


def test_a_graph_that_says_something_else_is_not_used(warned):
    """A network that is no longer what its graph was written from."""
    network = _built(*GRAPHS[1])
    network.backbone.bn2.act = nn.Tanh()
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        found, expected = engine_of(network, CPU)(images), network.forward_whole(images)
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-3, atol=1e-4)
    assert len(warned.messages) == 1
    assert warned.messages[0].startswith(f"ONNX Runtime computes {graph_file(network).stem} otherwise than PyTorch")


def test_a_graph_holds_no_weights_and_no_paths():
    for graph in GRAPHS:
        data = graph_file(_built(*graph)).read_bytes()
        assert len(data) < 60_000 * (1 + graph[0].count("+"))
        assert not re.findall(rb"(?:/[\w.-]+){2,}|\w:\\\\|[\w-]+\.py\b", data)


def test_onnx_runtime_reports_to_nobody(tmp_path):
    """Its reporter keeps a file in the folder for temporary files; without the reporter there is none."""
    kept_from = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS")  # each of which would keep it silent
    environment = {name: value for name, value in os.environ.items() if name not in kept_from}
    environment |= {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}

    def left_by(program: str) -> set[str]:
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True, timeout=120)
        return {path.name for path in tmp_path.rglob("*.ses")}

    assert left_by("from isic_screen import Screener; Screener()") == set()
    assert left_by("import onnxruntime") == {".ses"}, "the reporter no longer shows itself in this way: test another"
