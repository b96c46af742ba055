"""Files that are written whole or not at all, so that a killed run leaves no half of one under its name."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safetensors.torch import save
from torch import Tensor


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` when the block ends, and is gone when it fails.

    What a kill leaves has one name, so that the next run writes over it. An OSError names the file.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        yield unfinished
        with open(unfinished, "rb") as file:
            os.fsync(file.fileno())  # else a machine that loses power may keep the name and lose the content
        unfinished.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        unfinished.unlink(missing_ok=True)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file whole or not at all.

    Not by safetensors' own `save_file`: that leaves files of other names when it is killed, and a full disk is an error
    of its own kind.
    """
    with whole_file(path) as unfinished:
        unfinished.write_bytes(save(dict(tensors), metadata))
