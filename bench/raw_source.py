"""A source of bytes that never stops: `python -m bench.raw_source PORT`."""

import contextlib
import socketserver
import sys

PIECE = bytes(65536)


class _Endless(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.request.sendall(PIECE)


def main(port: int) -> None:
    """Send zeros to whoever connects, for as long as they read."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", port), _Endless) as server:
        server.daemon_threads = True
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
