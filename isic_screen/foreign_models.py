"""Names the files that people hand over for a model file, so that the refusal can say how to get one."""

from pathlib import Path
from zipfile import BadZipFile, ZipFile

_PYTORCH = "PyTorch weights"
_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
# (offset, bytes there, what the file is); names tell of formats that have no mark.
_SIGNATURES = (
    (0, b"\x89HDF", "Keras weights or another HDF5 file"),
    (4, b"TFL3", "a TensorFlow Lite model"),
    (0, b"GGUF", "a GGUF model"),
)
_SUFFIXES = {
    **dict.fromkeys((".pth", ".pt", ".bin", ".ckpt", ".tar"), _PYTORCH),
    **dict.fromkeys((".h5", ".hdf5", ".keras"), "a Keras model"),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "a Python pickle"),
    **dict.fromkeys((".npz", ".npy"), "NumPy arrays"),
    ".onnx": "an ONNX model",
    ".tflite": "a TensorFlow Lite model",
    ".pb": "a TensorFlow model",
}


def describe_model(path: Path) -> str:
    """What a file is that is no safetensors file, and what to do: sentences that lack their subject; "" if unknown.

    It is looked at, but nothing in it is unpickled.
    """
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"version https://git-lfs"):
        return 'is a Git LFS pointer, not the model itself. Run "git lfs pull" first.'
    kind = _SUFFIXES.get(path.suffix.lower(), "")
    if _holds_pickle(path) or head.startswith(_PICKLES):
        kind = kind or _PYTORCH
    kind = next((what for offset, mark, what in _SIGNATURES if head[offset:].startswith(mark)), kind)
    return kind and f"holds {kind}, and is no model file of isic_screen. {advice(path if kind == _PYTORCH else None)}"


def advice(weights: Path | None) -> str:
    """How to get a model file, from `weights` or without."""
    lacks = "A model file also holds a calibration and thresholds, measured on photos with known diagnoses:"
    start = f" --backbone NAME --backbone-weights {weights}" if weights else ""
    return f"{lacks} python train/run.py --data DIR{start} trains one, OUT/model.safetensors."


def _holds_pickle(path: Path) -> bool:
    try:
        with ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except BadZipFile:
        return False
