"""Memory that was freed goes back to the system: glibc keeps it, for each thread that ever asked for some."""

import ctypes
import sys

_M_ARENA_MAX = -8  # glibc's malloc.h
_ARENAS = 2


def share_arenas() -> None:
    """Let all threads share a few of glibc's pools of memory; without this, forty workers keep one each.

    To be called before there are threads. Nothing happens where the C library is another one.
    """
    if (library := _glibc()) is not None:
        library.mallopt(_M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Hand what is free in the pools back to the system: after a large photo this can be hundreds of megabytes."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
