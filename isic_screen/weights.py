"""Tensors of weights files, in whatever a training wrapped them. No file is unpickled into more than plain tensors."""

import argparse
import os
import pickle
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from isic_screen.errors import WeightsError

# For libraries as well: whoever calls torch.load, nothing in a file is executed.
os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a weights file by their full names: those of "model" in "state_dict" begin "state_dict.model.".

    Raises WeightsError for a file that is missing, or no weights file.
    """
    if not file.is_file():
        raise WeightsError(f"There is no weights file {file}.")
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        with torch.serialization.safe_globals([argparse.Namespace]):  # many trainings save their options beside
            given = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # its text would advise to read the file unsafely
        raise WeightsError(f"{file} is no weights file, or holds more than plain tensors.") from error
    except (SafetensorError, RuntimeError, ValueError, EOFError, OSError, KeyError) as error:
        raise WeightsError(f"{file} cannot be read as a weights file: {first_line(error)}") from error
    tensors = dict(_tensors_in(given))
    if not tensors:
        raise WeightsError(f"{file} holds no plain state dict of tensors. Save the backbone's state_dict() to it.")
    return tensors


def _tensors_in(given: Any, place: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(given, Tensor):
        yield place, given
    elif isinstance(given, Mapping):
        for key, value in given.items():
            yield from _tensors_in(value, f"{place}.{key}" if place else str(key))


def of_network(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Those of the tensors `given` that belong to a network with the names `wanted`, under these names.

    They may all stand behind a prefix, as "module." of DataParallel, "state_dict.", "encoder.", or several of them. Of
    two networks in a file the averaged one (EMA) is taken. The nearest are returned where none has all names.

    Raises WeightsError when the file holds several networks that fit, and none is the average of another.
    """
    named = [name for name in wanted if not _may_lack(name)]
    prefixes = {key.removesuffix(name) for name in named[:1] + named[-1:] for key in given if key.endswith(name)}
    found = {
        prefix: {name: given[prefix + name] for name in wanted if prefix + name in given}
        for prefix in sorted(prefixes)
        if not prefix or prefix.endswith(".")
    }
    whole = [prefix for prefix, tensors in found.items() if set(named) <= set(tensors)]
    averaged = [prefix for prefix in whole if "ema" in re.split("[._]", prefix.lower())]
    if len(averaged or whole) > 1:
        raise WeightsError(
            f"{file} holds several networks that fit, such as {whole[0]!r} and {whole[1]!r}. "
            "Save the state_dict() of one of them to a file of its own."
        )
    if whole:
        return found[(averaged or whole)[0]]
    return max(found.values(), key=len, default={})


def lacking(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """The names `wanted` that are not given, but for counts that no network computes with."""
    return [name for name in wanted if name not in given and not _may_lack(name)]


def misshapen(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """The names of tensors that are given in another shape, or as whole numbers instead of real ones."""
    return [
        name
        for name, tensor in given.items()
        if (tensor.shape, tensor.is_floating_point()) != (wanted[name].shape, wanted[name].is_floating_point())
    ]


def _may_lack(name: str) -> bool:
    return name.endswith("num_batches_tracked")  # which old files go without


def first_line(error: Exception) -> str:
    """Of a message that may have many, or the error's name where it has none."""
    line = str(error).strip().split("\n", 1)[0]
    return shorten(line, 200, placeholder=" …") or type(error).__name__
