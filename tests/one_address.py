"""One address behind which a server is exchanged for another, as when it is started anew."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_PIECE = 65_536


class OneAddress:
    """Hands every connection on, byte for byte, to the server that stands behind it at the time."""

    def __init__(self, server: str) -> None:
        self._behind = _place(server)
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._answer, daemon=True).start()

    def exchange(self, server: str) -> None:
        """From now on another server answers; the connections to the one before break off."""
        with self._lock:
            self._behind = _place(server)
            broken, self._open = self._open, []
        for end in broken:
            _hang_up(end)

    def close(self) -> None:
        _hang_up(self._door)
        for end in self._open:
            _hang_up(end)

    def _answer(self) -> None:
        with suppress(OSError):  # closed
            while True:
                visitor, _ = self._door.accept()
                with self._lock:
                    try:
                        server = socket.create_connection(self._behind)
                    except OSError:  # it has ended: the next visitor may find another
                        _hang_up(visitor)
                        continue
                    self._open += [visitor, server]
                for ends in ((visitor, server), (server, visitor)):
                    threading.Thread(target=_hand_on, args=ends, daemon=True).start()


@contextmanager
def one_address(server: str) -> Iterator[OneAddress]:
    """An address of its own for the server at another one."""
    opened = OneAddress(server)
    try:
        yield opened
    finally:
        opened.close()


def _place(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def _hand_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):  # one of them has hung up
        while piece := one.recv(_PIECE):
            other.sendall(piece)
    _hang_up(one)
    _hang_up(other)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        end.shutdown(socket.SHUT_RDWR)
    end.close()
