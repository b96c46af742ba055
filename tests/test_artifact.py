import json
import struct
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from isic_screen.artifact import ModelFacts, load_model, save_model
from isic_screen.errors import ModelFileError
from isic_screen.operating_point import ThresholdTable
from tests.conftest import example_facts


def _header(data: bytes) -> tuple[dict, int]:
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), 8 + length


def _with_metadata(data: bytes, **changes: str | None) -> bytes:
    """The model file with entries of its metadata replaced, or removed where None."""
    header, start = _header(data)
    metadata = {**header["__metadata__"], **changes}
    header["__metadata__"] = {name: value for name, value in metadata.items() if value is not None}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[start:]


def _with_facts(data: bytes, **changes: object) -> bytes:
    facts = json.loads(_header(data)[0]["__metadata__"]["isic_screen"])
    for name, value in changes.items():
        if value is None:
            del facts[name]
        else:
            facts[name] = value
    return _with_metadata(data, isic_screen=json.dumps(facts))


def _with_table(data: bytes, targets: list[int], **changes: object) -> bytes:
    """The model file with a threshold table counted on images of these kinds."""
    scores = [(place + 1) / 10 for place in range(len(targets))]
    table = asdict(ThresholdTable.from_predictions(scores, targets, 0.018))
    return _with_facts(data, threshold_table={**table, **changes})


def test_a_model_comes_back_as_it_was_saved(lite0, lite0_file):
    model = load_model(lite0_file)
    assert model.facts == example_facts(lite0)
    images = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        # Half precision in the file: the logit moves by less than a probability can show.
        torch.testing.assert_close(model.network(images), lite0(images), atol=2e-3, rtol=2e-3)
    assert not model.network.training


def test_the_file_fits_a_space_without_lfs(lite0_file):
    assert lite0_file.stat().st_size < 10_000_000


def test_the_same_model_is_the_same_file(lite0, lite0_file, tmp_path):
    for turn in range(4):
        save_model(tmp_path / f"{turn}.safetensors", lite0, example_facts(lite0))
        assert (tmp_path / f"{turn}.safetensors").read_bytes() == lite0_file.read_bytes()


def test_saving_is_all_or_nothing(lite0, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_model(path, lite0, example_facts(lite0))
    before = path.read_bytes()

    def disk_full(file, content):
        file.write_text("half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match="No space"):
        save_model(path, lite0, replace(example_facts(lite0), version="2"))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_nan_never_travels_in_the_facts(lite0):
    with pytest.raises(ValueError, match="JSON"):
        example_facts(lite0, metrics={"auc": float("nan")}).to_json()


def test_facts_survive_json_with_their_types(lite0):
    facts = example_facts(lite0)
    assert ModelFacts.from_json(facts.to_json()) == facts


def test_what_a_threshold_means_comes_with_and_without_the_camera(lite0):
    table = ThresholdTable.from_predictions([0.01, 0.02, 0.03], [0, 1, 1], 0.018)
    facts = example_facts(lite0, other_cameras=table)
    assert ModelFacts.from_json(facts.to_json()) == facts
    point = facts.operating_point(0.03)
    assert replace(point, other_cameras=None) == facts.threshold_table.at(0.03)
    assert point.other_cameras == table.at(0.03)
    assert point.restated(0.1).other_cameras == table.at(0.03).restated(0.1)
    assert example_facts(lite0).operating_point(0.03).other_cameras is None


def test_a_file_of_version_8_does_not_say_what_is_left_without_the_camera(lite0):
    older = json.loads(example_facts(lite0).to_json()) | {"format_version": 8}
    del older["other_cameras"]
    assert ModelFacts.from_json(json.dumps(older)) == example_facts(lite0)
    with pytest.raises(ValueError, match="missing or unknown: other_cameras"):
        ModelFacts.from_json(json.dumps(older | {"format_version": 9}))


def test_the_bundled_file_says_what_is_left_without_the_camera(bundled_model):
    facts = bundled_model.facts
    shortcut = facts.metrics["sources"]["isic2020"]["camera_shortcut"]
    left, all_counted = facts.other_cameras, facts.threshold_table
    assert set(left.thresholds) < set(all_counted.thresholds)
    assert left.positives == all_counted.positives - shortcut["melanomas"]
    assert left.negatives == all_counted.negatives - (shortcut["images"] - shortcut["melanomas"])


def test_the_bundled_file_counts_as_its_evaluation_does(bundled_model):
    """By calibrations that did not see the photos: the one in the file catches 441 at its threshold for 95 %."""
    facts = bundled_model.facts
    evaluated = facts.metrics["sources"]["isic2020"]["operating_points"]
    for name, threshold in facts.operating_points.items():
        point, confusion = facts.operating_point(threshold), evaluated[f"shipped_{name}"]["confusion"]
        assert point.sensitivity.count == confusion["true_positives"], name
        assert point.specificity.count == confusion["true_negatives"], name
    assert facts.operating_point(facts.default_threshold).sensitivity.count == 439


@pytest.mark.parametrize(
    ("sensitivity", "threshold"),
    [
        (1.0, 0.01),
        (0.96, 0.01),
        (0.95, 0.024),  # it caught 80 % in the end, and keeps its place all the same
        (0.92, 0.024),  # 0.01 by the counts alone, below the one for more
        (0.90, 0.03),
        (0.60, 0.045),  # 0.05 by the counts alone, above the one for less
        (0.50, 0.045),
        (0.30, 0.08),
        (0.0, 0.10),
    ],
)
def test_more_sensitivity_never_raises_the_threshold_and_named_ones_keep_theirs(lite0, sensitivity, threshold):
    scores = [count / 100 for count in range(1, 11)]
    table = ThresholdTable.from_predictions([*scores, 0.005], [*[1] * 10, 0], 0.018)
    named = {"0.95": 0.024, "0.90": 0.03, "0.50": 0.045, "own": 0.5}
    facts = example_facts(lite0, threshold_table=table, operating_points=named)
    assert facts.threshold_for_sensitivity(sensitivity) == threshold


BROKEN = {
    "empty": (lambda data: b"", "no whole safetensors file"),
    "text": (lambda data: b"not a model" * 99, "no whole safetensors file"),
    "truncated": (lambda data: data[: len(data) // 2], "no whole safetensors file"),
    "header cut": (lambda data: data[:100], "no whole safetensors file"),
    "a stranger's safetensors": (
        lambda data: _with_metadata(data, isic_screen=None),
        "not a model file of isic_screen",
    ),
    "future format": (lambda data: _with_facts(data, format_version=99), "format version 99.*reads up to 9"),
    "facts no JSON": (lambda data: _with_metadata(data, isic_screen="{"), "facts about the model cannot be used"),
    "a fact missing": (lambda data: _with_facts(data, calibration=None), "missing or unknown: calibration"),
    "a fact too many": (lambda data: _with_facts(data, mood="good"), "missing or unknown: mood"),
    "falling calibration": (
        lambda data: _with_facts(
            data, calibration={"slope": -1, "intercept": 0, "fitted_prevalence": 0.5, "prevalence": 0.02}
        ),
        "slope must be positive",
    ),
    "no threshold": (lambda data: _with_table(data, []), "threshold table holds no threshold and no melanoma and no"),
    "no melanoma": (lambda data: _with_table(data, [0]), "threshold table holds no melanoma; evaluate on"),
    "melanomas alone": (lambda data: _with_table(data, [1]), "threshold table holds no image without melanoma;"),
    "a table for nobody": (lambda data: _with_table(data, [0, 1], prevalence=0), "prevalence of the threshold table"),
    "no melanoma of other cameras": (
        lambda data: _with_facts(data, other_cameras=asdict(ThresholdTable.from_predictions([0.1], [0], 0.018))),
        "threshold table of other cameras holds no melanoma",
    ),
    "another backbone": (lambda data: _with_facts(data, backbone="resnet18"), "tensors do not fit resnet18"),
    "a network of gigabytes": (
        lambda data: _with_facts(data, backbone="vit_giant_patch14_224"),
        r"tensors do not fit vit_giant_patch14_224 \(missing, unknown or of another shape: .*one of",
    ),
    "unknown backbone": (lambda data: _with_facts(data, backbone="hf-hub:someone/model"), "knows no backbone"),
    "another head": (lambda data: _with_facts(data, hidden=64), "tensors do not fit"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(kind, lite0_file, tmp_path):
    breaks, sentence = BROKEN[kind]
    path = tmp_path / "broken.safetensors"
    path.write_bytes(breaks(lite0_file.read_bytes()))
    with pytest.raises(ModelFileError, match=sentence):
        load_model(path)


def test_a_missing_file_says_where_models_come_from(tmp_path):
    with pytest.raises(ModelFileError, match=r"no model file.*train/run\.py"):
        load_model(tmp_path / "model.safetensors")


def test_weights_that_are_not_numbers_are_refused(lite0, tmp_path):
    tensors = {
        name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in lite0.state_dict().items()
    }
    tensors["head.out.bias"] = torch.tensor([float("nan")])
    path = tmp_path / "nan.safetensors"
    save_file(tensors, path, {"isic_screen": example_facts(lite0).to_json()})
    with pytest.raises(ModelFileError, match="not numbers"):
        load_model(path)
