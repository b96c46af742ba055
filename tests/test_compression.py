"""The weights of a model file in eight and six bits."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from isic_screen.artifact import as_stored, load_model, save_model
from isic_screen.compression import compressed, in_full, packed, unpacked
from isic_screen.errors import ModelFileError
from tests.conftest import example_facts


def test_eight_bits_make_the_file_much_smaller_and_move_no_weight_by_more_than_half_a_step(lite0, tmp_path):
    sixteen, eight = tmp_path / "16.safetensors", tmp_path / "8.safetensors"
    save_model(sixteen, lite0, example_facts(lite0))
    save_model(eight, lite0, example_facts(lite0), bits=8)
    assert eight.stat().st_size < 0.65 * sixteen.stat().st_size
    found = load_model(eight).network.state_dict()
    for name, weight in lite0.state_dict().items():
        if weight.numel() < 50_000:  # stays in half precision
            assert torch.equal(found[name], weight.half().to(weight.dtype)), name
        else:
            step = weight.flatten(1).abs().amax(1) / 127
            moved = (found[name] - weight).flatten(1).abs().amax(1)
            assert (moved <= 0.501 * step).all(), name
    assert all(torch.equal(tensor, found[name]) for name, tensor in as_stored(lite0, bits=8).state_dict().items())


def test_whole_numbers_without_their_scales_are_refused(lite0, tmp_path):
    file = tmp_path / "model.safetensors"
    save_model(file, lite0, example_facts(lite0), bits=8)
    tensors = load_file(file)
    header = {"isic_screen": example_facts(lite0).to_json()}
    name = "backbone.conv_head.weight"
    for broken in ({name + ".scale": None}, {name + ".scale": torch.ones(3)}, {name + ".scale": torch.tensor(1)}):
        kept = {key: value for key, value in {**tensors, **broken}.items() if value is not None}
        save_file(kept, file, header)
        with pytest.raises(ModelFileError, match=r"conv_head\.weight lacks its scales"):
            load_model(file)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 13])
def test_six_bits_come_back_from_three_bytes_for_four(count):
    numbers = (torch.arange(64 * count) * 5 % 64).reshape(-1, count) - 32
    lines = packed(numbers)
    assert lines.dtype == torch.uint8
    assert lines.shape == (64, 3 * -(-count // 4))
    assert torch.equal(unpacked(lines, count), numbers)


def test_six_bits_make_the_file_smaller_still_and_round_no_worse_than_the_whole_range_would(lite0, tmp_path):
    eight, six = tmp_path / "8.safetensors", tmp_path / "6.safetensors"
    save_model(eight, lite0, example_facts(lite0), bits=8)
    save_model(six, lite0, example_facts(lite0), bits=6)
    assert six.stat().st_size < 0.8 * eight.stat().st_size
    found = load_model(six).network.state_dict()
    depthwise = 0
    for name, weight in lite0.state_dict().items():
        if weight.ndim < 2 or weight.numel() < 10_000 or (weight.shape[1] == 1 and weight.numel() < 50_000):
            assert torch.equal(found[name], weight.half().to(weight.dtype)), name
            depthwise += weight.ndim == 4 and weight.shape[1] == 1
            continue
        levels = 31 if weight.numel() >= 50_000 else 127
        rows = weight.flatten(1)
        step = rows.abs().amax(1, keepdim=True) / levels
        squares = ((found[name].flatten(1) - rows) ** 2).sum(1)
        assert (squares <= 1.001 * (((rows / step).round() * step - rows) ** 2).sum(1)).all(), name
    assert depthwise
    assert all(torch.equal(tensor, found[name]) for name, tensor in as_stored(lite0, bits=6).state_dict().items())


@pytest.mark.parametrize("bits", [8, 6])
def test_a_row_of_nothing_has_a_scale_to_be_divided_by(bits):
    """As of a filter that training has switched off: what 0 / 0 is as a whole number is up to the processor."""
    weight = torch.randn(200, 300, generator=torch.manual_seed(0))
    weight[7] = 0
    stored = compressed({"weight": weight}, bits)
    assert (stored["weight.scale"] > 0).all()
    assert (in_full(stored)["weight"][7] == 0).all()


def test_six_bits_that_do_not_fit_their_shape_are_refused(lite0, tmp_path):
    file = tmp_path / "model.safetensors"
    save_model(file, lite0, example_facts(lite0), bits=6)
    tensors = load_file(file)
    header = {"isic_screen": example_facts(lite0).to_json()}
    name = "backbone.conv_head.weight"
    shape = tensors[name + ".shape"]
    for other in (
        None,
        shape.float(),
        shape[:1],
        shape[:0],
        shape * torch.tensor([1, 2, 1, 1]),
        shape * torch.tensor([1, -1, 1, 1]),
        shape * torch.tensor([1, 0, 1, 1]),
        torch.full((40,), 2**31 - 1, dtype=torch.int32),
    ):
        kept = {key: value for key, value in {**tensors, name + ".shape": other}.items() if value is not None}
        save_file(kept, file, header)
        with pytest.raises(ModelFileError, match=r"conv_head\.weight lacks its shape, or has not its bytes"):
            load_model(file)
