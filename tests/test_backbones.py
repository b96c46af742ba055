"""Families of timm that speak in ways of their own, the weights files that people have, and files that are no model."""

import argparse
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from isic_screen.artifact import load_model
from isic_screen.errors import ModelFileError, WeightsError
from isic_screen.network import build_network
from isic_screen.training.about import load_about
from isic_screen.training.recipe import load_recipe
from isic_screen.training.run import train
from isic_screen.training.setting import Setting
from tests.conftest import ROOT
from tests.small_recipe import small_recipe

ABOUT = load_about(ROOT / "train" / "about.toml")

FAMILIES = {
    "coat_lite_tiny": (320, 7),  # cannot be built without pooling
    "gmlp_ti16_224": (128, 14),  # tokens, and no word of how many to a side
    "hieradet_small": (768, 8),  # unless told otherwise, it stops at the middle stage
    "mixer_s32_224": (512, 7),  # 1/32 of the image's sides from the first block on
    "poolformer_s12": (512, 7),  # does not group its parameters
    "xcit_nano_12_p16_224": (128, 14),  # a class token before the others, without a word of it
}


@pytest.mark.parametrize("backbone", FAMILIES)
def test_families_that_differ_give_a_map_and_can_be_trained(backbone):
    """By shapes alone, which take no time."""
    channels, side = FAMILIES[backbone]
    with torch.device("meta"):
        network = build_network(backbone, weights=None)
        images = torch.empty(2, 3, network.input_spec.size, network.input_spec.size)
        seen = network.forward_whole(images)
        assert seen.evidence.shape == (2, side, side)
        assert network.activations(images).shape == (2, channels, side, side)
        network.freeze_stages(1)
        network.train()(images).sum().backward()
    trained = [parameter.requires_grad for parameter in network.backbone.parameters()]
    assert any(trained)
    assert not all(trained)


def test_a_place_of_the_map_is_that_place_of_the_image():
    torch.manual_seed(0)
    network = build_network("xcit_nano_12_p16_224", weights=None)
    images = torch.randn(1, 3, 224, 224).repeat(2, 1, 1, 1)
    images[1, :, :56, -56:] += 2  # top right
    with torch.inference_mode():
        one, other = network.activations(images)
    changed = (one - other).abs().mean(0)
    assert changed[:3, -3:].mean() > 5 * changed.mean()


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ({"backbone": "efficientvim_m1"}, "efficientvim_m1 cannot be used here: its last layer gives no map"),
        (
            {"backbone": "halonet26t", "amp": False},
            r"timm cannot train halonet26t \(.*\)\. Its own images have 256 pix",
        ),
        ({"backbone": "test_vit", "input_size": 20}, r"timm cannot train test_vit .*must lie in 32\.\.1024"),
    ],
)
def test_a_backbone_that_does_not_work_is_a_sentence_before_any_data_are_read(lines, sentence, tmp_path):
    size = {"first_size": 64, "stem_uses": 0, "from_teacher": False}
    setting = Setting(tmp_path / "out", tmp_path, torch.device("cpu"), 1, weights=None)
    for recipe in (small_recipe(**size | lines), replace(load_recipe("paper"), **{"input_size": 64} | lines)):
        with pytest.raises(WeightsError, match=sentence):
            train([tmp_path / "no data"], recipe, ABOUT, setting)
    assert not setting.out.exists()


@pytest.fixture(scope="module")
def own() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return dict(build_network("test_resnet", weights=None).backbone.state_dict())


def _named(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


WRAPPED = {
    "of several GPUs": lambda own: _named("module.", own),
    "in state_dict": lambda own: {"state_dict": _named("module.", own), "epoch": 3, "args": argparse.Namespace(lr=1.0)},
    "in model": lambda own: {"model": own, "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}}},
    "the average beside": lambda own: {"model": {n: t * 2 for n, t in own.items()}, "model_ema": own},
    "a larger network's": lambda own: {"state_dict": {**_named("encoder.backbone.", own), "head.w": torch.zeros(2)}},
    "compiled": lambda own: _named("_orig_mod.", own),
    "without counts": lambda own: {n: t for n, t in own.items() if not n.endswith("num_batches_tracked")},
    "in half precision": lambda own: {n: t.half() if t.is_floating_point() else t for n, t in own.items()},
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_weights_are_found_in_what_a_training_wrapped_them_in(kind, own, tmp_path):
    torch.save(WRAPPED[kind](own), file := tmp_path / "weights.pth")
    found = build_network("test_resnet", weights=file).backbone.state_dict()
    for name, tensor in own.items():
        expected = tensor.half().float() if kind == "in half precision" and tensor.is_floating_point() else tensor
        assert torch.equal(found[name], expected), name


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda own: _named("encoder_q.", own) | _named("encoder_k.", own),
            "several networks that fit, .*'encoder_k.'",
        ),
        (lambda own: {n: t.to(torch.int8) for n, t in own.items()}, r"of whole numbers instead of .* and \d+ more"),
        (lambda own: _named("module.", dict(list(own.items())[:9])), r"lacks '.*' and \d+ more tensors"),
        (lambda own: {"epoch": 3}, "holds no plain state dict"),
    ],
)
def test_weights_that_cannot_be_told_or_do_not_fit_are_refused(change, sentence, own, tmp_path):
    torch.save(change(own), file := tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=sentence):
        build_network("test_resnet", weights=file)


class _Runs:
    """Pickled, it is a call."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("unpickled"),)


def test_nothing_is_unpickled_even_by_a_library_that_asks_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": torch.zeros(1), "more": _Runs()}, "weights.pth")
    with pytest.raises(WeightsError, match="holds more than plain tensors"):
        build_network("test_resnet", weights=Path("weights.pth"))
    with pytest.raises(pickle.UnpicklingError):
        torch.load("weights.pth", weights_only=False)
    with pytest.raises(ModelFileError, match="PyTorch weights"):
        load_model("weights.pth")
    assert not Path("unpickled").exists()


NO_MODELS = {
    "best.pth": (lambda file: torch.save({}, file), "holds PyTorch weights.*train/run.py .*--backbone-weights .*best"),
    "model.safetensors": (lambda file: torch.save({}, file), "holds PyTorch weights"),  # renamed
    "old.bin": (lambda file: file.write_bytes(pickle.dumps([])), "holds PyTorch weights"),
    "net.onnx": (lambda file: file.write_bytes(b"\x08\x08\x12\x07pytorch"), r"ONNX model.*python train/run\.py --data"),
    "net.h5": (lambda file: file.write_bytes(b"\x89HDF\r\n\x1a\n"), "Keras weights"),
    "net.keras": (lambda file: zipfile.ZipFile(file, "w").close(), "a Keras model"),
    "net.tflite": (lambda file: file.write_bytes(b"\x1c\0\0\0TFL3"), "a TensorFlow Lite model"),
    "lfs.safetensors": (lambda file: file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
    "weights.safetensors": (lambda file: save_file({"a": torch.zeros(1)}, file), "--backbone-weights .*weights.safe"),
}


@pytest.mark.parametrize("name", NO_MODELS)
def test_a_file_given_as_the_model_is_told_what_it_is_and_how_to_get_one(name, tmp_path):
    write, sentence = NO_MODELS[name]
    write(tmp_path / name)
    with pytest.raises(ModelFileError, match=sentence):
        load_model(tmp_path / name)
