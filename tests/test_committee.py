"""Networks put together as one."""

import pytest
import torch

from isic_screen.artifact import load_model, save_model
from isic_screen.committee import committee_of
from isic_screen.errors import WeightsError
from isic_screen.network import build_network
from isic_screen.turns import turned, turned_back, view_of_member
from isic_screen.views import averaged
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
        whole = committee.forward_whole(images)
        views = [view_of_member(number) for number in range(3)]
        assert len(set(views)) == 3
        parts = [member.forward_whole(turned(images, view)) for member, view in zip(members, views, strict=True)]
        logits = torch.stack([part.logits for part in parts]).mean(0)
        maps = torch.stack([turned_back(part.evidence, view) for part, view in zip(parts, views, strict=True)]).mean(0)
        torch.testing.assert_close(whole.logits, logits, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(whole.evidence, maps, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(committee(images), logits, rtol=1e-4, atol=1e-6)
    assert whole.style.shape == (2, sum(part.style.shape[1] for part in parts))
    assert not committee.training
    assert committee.input_spec.members_turned  # or it would not be turned any more once it is read from its file
    assert committee.head.dropout.p == members[0].head.dropout.p


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
        committee_of([_network(0), build_network("tf_efficientnet_lite0", weights=None, hidden=16, input_size=64)])
    with pytest.raises(ValueError, match="same backbone, head and input"):
        committee_of([_network(0), _network(1, backbone="resnet10t")])


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0+resnet10t", "resnet10t+", "+".join(["resnet10t"] * 17)])
def test_a_name_that_is_no_committee_is_refused(name):
    with pytest.raises(WeightsError, match="cannot be built"):
        build_network(name, weights=None)


def test_a_committee_cannot_be_trained_from_imagenets_weights():
    with pytest.raises(WeightsError, match=r"train/run\.py --member"):
        build_network("tf_efficientnet_lite0+tf_efficientnet_lite0", weights="imagenet")


@pytest.mark.parametrize("bits", [16, 8, 6])
def test_a_committee_comes_back_from_its_file(tmp_path, bits):
    committee = committee_of([_network(0), _network(1)])
    file = tmp_path / "model.safetensors"
    save_model(file, committee, example_facts(committee), bits=bits)
    found = load_model(file)
    assert found.facts.backbone == "tf_efficientnet_lite0+tf_efficientnet_lite0"
    assert found.network.input_spec == committee.input_spec
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected, logits = committee(images), found.network(images)
    torch.testing.assert_close(logits, expected, rtol=0.05, atol=0.02)


def test_two_members_asked_about_a_half_turn_see_all_four_turns(tmp_path):
    """The same network twice, so that the answer is that of one network asked about four turns."""
    one = _network(0)
    twice = committee_of([one, one])
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        found = averaged(twice.forward_whole, 2)(images)
        expected = averaged(one.forward_whole, 4)(images)
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.evidence, expected.evidence, rtol=1e-3, atol=1e-5)
