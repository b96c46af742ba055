"""Networks put together as one, and the weights of a model file in eight bits."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from isic_screen.artifact import as_stored, load_model, save_model
from isic_screen.committee import committee_of
from isic_screen.errors import ModelFileError, WeightsError
from isic_screen.network import build_network
from tests.conftest import example_facts


def _network(seed: int, backbone: str = "tf_efficientnet_lite0", **options):
    torch.manual_seed(seed)
    network = build_network(backbone, weights=None, hidden=8, **{"input_size": 64, **options})
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return network


# A convolutional network, and a transformer, whose maps are tokens.
@pytest.mark.parametrize(("backbone", "size"), [("tf_efficientnet_lite0", 64), ("vit_tiny_patch16_224", 224)])
def test_a_committee_says_the_mean_of_what_its_members_say(backbone, size):
    members = [_network(seed, backbone, input_size=size) for seed in range(3)]
    committee = committee_of(members)
    assert committee.backbone_name == "+".join([backbone] * 3)
    images = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        whole, parts = committee.forward_whole(images), [member.forward_whole(images) for member in members]
        logits, maps = (torch.stack([getattr(part, name) for part in parts]).mean(0) for name in ("logits", "evidence"))
        torch.testing.assert_close(whole.logits, logits, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(whole.evidence, maps, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(committee(images), logits, rtol=1e-4, atol=1e-6)
    assert whole.style.shape == (2, sum(part.style.shape[1] for part in parts))
    assert not committee.training


def test_its_evidence_map_is_the_gradients():
    committee = committee_of([_network(0), _network(1)])
    images = torch.randn(1, 3, 64, 64)
    activations = committee.activations(images).detach().requires_grad_()
    committee.head(activations.mean((2, 3))).sum().backward()
    weights = activations.grad.sum((2, 3), keepdim=True)
    _, evidence = committee.forward_with_evidence(images)
    torch.testing.assert_close(evidence, (weights * activations).sum(1), rtol=1e-3, atol=1e-6)


def test_networks_of_other_shapes_make_no_committee():
    with pytest.raises(ValueError, match="at least two"):
        committee_of([_network(0)])
    with pytest.raises(ValueError, match="same backbone, head and input"):
        committee_of([_network(0), _network(1, input_size=96)])
    with pytest.raises(ValueError, match="same backbone, head and input"):
        committee_of([_network(0), _network(1, backbone="resnet10t")])


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0+resnet10t", "resnet10t+", "+".join(["resnet10t"] * 17)])
def test_a_name_that_is_no_committee_is_refused(name):
    with pytest.raises(WeightsError, match="cannot be built"):
        build_network(name, weights=None)


def test_a_committee_cannot_be_trained_from_imagenets_weights():
    with pytest.raises(WeightsError, match=r"train/run\.py --member"):
        build_network("tf_efficientnet_lite0+tf_efficientnet_lite0", weights="imagenet")


@pytest.mark.parametrize("eight_bits", [False, True])
def test_a_committee_comes_back_from_its_file(tmp_path, eight_bits):
    committee = committee_of([_network(0), _network(1)])
    file = tmp_path / "model.safetensors"
    save_model(file, committee, example_facts(committee), eight_bits=eight_bits)
    found = load_model(file)
    assert found.facts.backbone == "tf_efficientnet_lite0+tf_efficientnet_lite0"
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected, logits = committee(images), found.network(images)
    torch.testing.assert_close(logits, expected, rtol=0.05, atol=0.02)


def test_eight_bits_make_the_file_much_smaller_and_move_no_weight_by_more_than_half_a_step(lite0, tmp_path):
    sixteen, eight = tmp_path / "16.safetensors", tmp_path / "8.safetensors"
    save_model(sixteen, lite0, example_facts(lite0))
    save_model(eight, lite0, example_facts(lite0), eight_bits=True)
    assert eight.stat().st_size < 0.65 * sixteen.stat().st_size
    found = load_model(eight).network.state_dict()
    for name, weight in lite0.state_dict().items():
        if weight.numel() < 50_000:  # stays in half precision
            assert torch.equal(found[name], weight.half().to(weight.dtype)), name
        else:
            step = weight.flatten(1).abs().amax(1) / 127
            moved = (found[name] - weight).flatten(1).abs().amax(1)
            assert (moved <= 0.501 * step).all(), name
    assert all(
        torch.equal(tensor, found[name]) for name, tensor in as_stored(lite0, eight_bits=True).state_dict().items()
    )


def test_whole_numbers_without_their_scales_are_refused(lite0, tmp_path):
    file = tmp_path / "model.safetensors"
    save_model(file, lite0, example_facts(lite0), eight_bits=True)
    tensors = load_file(file)
    header = {"isic_screen": example_facts(lite0).to_json()}
    name = "backbone.conv_head.weight"
    for broken in ({name + ".scale": None}, {name + ".scale": torch.ones(3)}, {name + ".scale": torch.tensor(1)}):
        kept = {key: value for key, value in {**tensors, **broken}.items() if value is not None}
        save_file(kept, file, header)
        with pytest.raises(ModelFileError, match=r"conv_head\.weight lacks its scales"):
            load_model(file)
