"""Write the graph by which ONNX Runtime computes networks of one shape (isic_screen/engine.py).

    python -m deploy.write_graph [--model FILE]

To be run again when ScreenNet.forward_whole changes or the bundled model gets another shape. Needs onnx and
onnxscript, which the app does not. The file has none of the model's weights.
"""

import argparse
from pathlib import Path

import onnx
import torch
from torch import nn

from isic_screen.artifact import BUNDLED_MODEL, load_model
from isic_screen.engine import INPUT, PREFIX, graph_file
from isic_screen.folding import folded
from isic_screen.network import ScreenNet, Whole


class _Tuples(nn.Module):
    """What `forward_whole` says, as the plain tuple that the exporter wants."""

    def __init__(self, network: ScreenNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(self.network.forward_whole(images))


def graph_of(network: ScreenNet) -> bytes:
    """The graph of the folded `network`, for any number of images, its weights taken out."""
    served = _Tuples(folded(network).to(memory_format=torch.contiguous_format)).eval()
    # The exporter keeps one of several weights that are equal, and they will not be equal in another model.
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in served.network.state_dict().values():
            tensor.normal_(generator=random)
    program = torch.onnx.export(
        served,
        (torch.zeros(2, 3, network.input_spec.size, network.input_spec.size),),
        input_names=[INPUT],
        output_names=list(Whole._fields),
        dynamic_shapes=({0: torch.export.Dim("count", min=1, max=1024)},),
        verbose=False,
    )
    if program is None:
        raise RuntimeError("the exporter gave nothing")
    model = program.model_proto
    names = {PREFIX + name for name in served.network.state_dict()}
    left = names - {tensor.name for tensor in model.graph.initializer}
    if left:
        raise RuntimeError(f"the exporter changed weights, which then cannot be set: {', '.join(sorted(left)[:3])}")
    for tensor in model.graph.initializer:
        if tensor.name in names:
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            place = tensor.external_data.add()
            place.key, place.value = "location", "the model"
    # Traces of the program that was exported, with the paths of its files.
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    return bytes(model.SerializeToString(deterministic=True))


def main() -> None:
    """Write the graph to its place in isic_screen/graphs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="default: the bundled one")
    given = parser.parse_args()
    network = load_model(given.model).network
    file = graph_file(network)
    file.write_bytes(graph_of(network))
    print(f"Wrote {file}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
