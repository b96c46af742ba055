"""What the fuzzer feeds as model files; see fuzz_targets.py."""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import mutations as ways
from benchmarks.fuzz_photos import picture
from benchmarks.fuzz_targets import Files, Target


class Models(Target):
    """timm's smallest network, so that a case takes milliseconds."""

    BACKBONE, SIZE, LARGE_HIDDEN = "test_efficientnet", 32, 256
    _BACKBONES = ("test_resnet", "test_vit", "tf_efficientnet_lite0", "no_such", "", "../x")
    _DTYPES = ("F64", "F32", "BF16", "I64", "I8", "U8", "BOOL", "U16", "F8_E4M3", "F8_E5M2", "C64", "F4", "F99")

    def valid(self) -> list[Files]:
        from tempfile import TemporaryDirectory

        import torch

        from isic_screen.artifact import ModelFacts, save_model
        from isic_screen.calibration import Calibration
        from isic_screen.network import build_network
        from isic_screen.novelty import Novelty
        from isic_screen.operating_point import ThresholdTable

        torch.manual_seed(0)
        network = build_network(self.BACKBONE, weights=None, hidden=4, input_size=self.SIZE)
        # Its head has a weight that is large enough for few bits.
        large = build_network(self.BACKBONE, weights=None, hidden=self.LARGE_HIDDEN, input_size=self.SIZE)
        channels = network.forward_whole(torch.zeros(1, 3, self.SIZE, self.SIZE)).style.shape[1]
        novelty = Novelty(
            torch.zeros(channels),
            torch.ones(channels),
            torch.eye(2, channels),
            torch.ones(2),
            torch.tensor(1.0),
            torch.tensor(1.0),
        )
        facts = ModelFacts(
            name="fuzz",
            version="0",
            backbone=self.BACKBONE,
            hidden=4,
            dropout=0.4,
            input=network.input_spec,
            calibration=Calibration(1.0, 0.0, 0.5),
            threshold_table=ThresholdTable((0.01, 0.03, 0.06), (3, 3, 1), (3, 1, 0), 3, 3, 0.018),
            operating_points={"0.95": 0.03},
            default_threshold=0.03,
            training={"sources": {"drawn": {"images": 6, "melanomas": 3, "groups": 6}}},
            metrics={},
            intended_use="None.",
            limits=("Knows nothing.",),
            licence="Apache-2.0",
            citation="none",
        )
        found = []
        with TemporaryDirectory() as folder:
            path = Path(folder, "model.safetensors")
            for known in (None, novelty):
                save_model(path, network, facts, known)
                found.append({path.name: path.read_bytes()})
            for bits in (8, 6):
                save_model(path, large, replace(facts, hidden=self.LARGE_HIDDEN), bits=bits)
                found.append({path.name: path.read_bytes()})
        return found

    def spoil(self, files: Files, random: Random) -> Files:
        data = files["model.safetensors"]
        way = random.random()
        if way < 0.2:
            data = random.choice(ways.BYTES)(data, random)
        elif way < 0.3:  # the header alone
            header = _header_bytes(data)
            data = _model_file(random.choice(ways.BYTES)(header, random), data[8 + len(header) :])
        else:
            data = self._spoil_header(data, random)
        return {"model.safetensors": data}

    def _spoil_header(self, data: bytes, random: Random) -> bytes:
        text = _header_bytes(data)
        try:
            header = json.loads(text)
            facts = json.loads(header["__metadata__"]["isic_screen"])
        except (ValueError, TypeError, KeyError, RecursionError):  # spoilt before
            return random.choice(ways.BYTES)(data, random)
        way = random.randrange(8)
        if way == 0:
            header = {name: _spoil_entry(entry, self._DTYPES, random) for name, entry in header.items()}
        elif way == 1:
            return _model_file(
                ways.mutate_json(json.dumps(header), random).encode("utf-8", "surrogatepass"), data[8 + len(text) :]
            )
        elif way == 2 and isinstance(facts, dict):
            facts["backbone"] = random.choice(self._BACKBONES)
            header["__metadata__"]["isic_screen"] = json.dumps(facts)
        elif way == 3:
            # The weights, which stand behind the header: what is not a number, and what is too large.
            body = bytearray(data[8 + len(text) :])
            at = random.randrange(max(1, len(body) - 64)) & ~3
            body[at : at + 64] = random.choice((b"\x00\x7c", b"\x00\x7e", b"\xff\x7b", b"\xff\xff")) * 32
            return _model_file(text, bytes(body))
        else:
            header["__metadata__"]["isic_screen"] = ways.mutate_json(json.dumps(facts), random)
        return _model_file(json.dumps(header).encode(), data[8 + len(text) :])

    def check(self, files: Files, folder: Path) -> None:
        from isic_screen.artifact import load_model
        from isic_screen.screener import Screener

        path = folder / "model.safetensors"
        path.write_bytes(files[path.name])
        model = load_model(path)
        screening = Screener(model).screen(picture())
        assert 0 <= screening.probability <= 1, f"a probability of {screening.probability}"
        facts = model.facts
        assert isinstance(facts.operating_points, dict)
        thresholds = {"default": facts.default_threshold, **facts.operating_points}
        for name, threshold in thresholds.items():
            assert isinstance(threshold, int | float), f"the threshold {name!r} is no number"
            assert 0 <= threshold <= 1, f"the threshold {name!r} is {threshold}"
            assert facts.threshold_table.at(threshold).per_1000 is not None
        for text in (facts.name, facts.version, facts.intended_use, facts.licence, facts.citation, *facts.limits):
            assert isinstance(text, str), f"{text!r} stands for a text"
        assert all(math.isfinite(share) and 0 <= share <= 1 for share in facts.threshold_table.thresholds)
        assert isinstance(facts.training, dict)
        assert isinstance(facts.metrics, dict)


def _header_bytes(data: bytes) -> bytes:
    length = int.from_bytes(data[:8], "little")
    return data[8 : 8 + length]


def _model_file(header: bytes, body: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + body


def _spoil_entry(entry: Any, dtypes: Sequence[str], random: Random) -> Any:
    """Now and then a tensor's entry with another type or shape; some types have the size of the right one."""
    if not isinstance(entry, dict) or "dtype" not in entry or random.random() > 0.05:
        return entry
    way = random.randrange(3)
    if way == 0:
        return {**entry, "dtype": random.choice(dtypes)}
    if way == 1:
        return {**entry, "dtype": {"F32": "I32", "F16": "I16", "I64": "F64"}.get(str(entry["dtype"]), "U8")}
    return {
        **entry,
        "shape": random.choice(
            ([], [0], [1 << 40], [-1], [1, *_list(entry.get("shape"))], _list(entry.get("shape"))[::-1])
        ),
    }


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
