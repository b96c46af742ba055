"""A reverse proxy that shows a server under a path and takes that path away, as nginx with `location /derma/` does."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@contextmanager
def proxied(address: str, prefix: str) -> Iterator[str]:
    """The address under which the server at `address` is shown; anything outside `prefix` is a 404."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(urlsplit(address).netloc, prefix))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}{prefix}"
    server.shutdown()
    server.server_close()
    thread.join()


def _handler(upstream: str, prefix: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            if not self.path.startswith(prefix + "/"):
                self.send_error(404)
                return
            length = self.headers.get("Content-Length")
            connection = http.client.HTTPConnection(upstream, timeout=60)
            connection.request(
                self.command,
                self.path.removeprefix(prefix),
                self.rfile.read(int(length)) if length else None,
                dict(self.headers.items()),  # Host too: it is the one that the visitor sees
            )
            answer = connection.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                while piece := answer.read1():
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:  # the visitor has gone
                pass
            finally:
                connection.close()

        do_GET = do_POST = do_HEAD = forward  # noqa: N815

        def log_message(self, format: str, *values: object) -> None:
            return

    return Handler
