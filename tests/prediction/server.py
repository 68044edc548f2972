"""A web server that knows range requests, counts, and can break off.

It is a process of its own: rasterio holds the interpreter while it opens an address, so a server
in another thread could not answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_CONTROL = "/control/"


class FileServer:
    """Serves one folder on this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    @property
    def requests(self) -> list[tuple[str, str | None]]:
        """Method and range of every request."""
        return [tuple(one) for one in self._ask("state")["requests"]]

    @property
    def sent(self) -> int:
        """Bytes of files sent."""
        return int(self._ask("state")["sent"])

    @property
    def break_off(self) -> int:
        """How many of the next answers above 20 kB end after half of what they promise."""
        return int(self._ask("state")["break_off"])

    @break_off.setter
    def break_off(self, count: int) -> None:
        self._ask(str(count))

    def _ask(self, what: str) -> dict:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url(_CONTROL[1:] + what), timeout=20) as answer:
            return json.load(answer)


@contextmanager
def serving(folder: Path) -> Iterator[FileServer]:
    process = subprocess.Popen([sys.executable, __file__, str(folder)], stdout=subprocess.PIPE,
                               text=True)
    try:
        assert process.stdout is not None
        yield FileServer(int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder = Path()
    state: dict = {"requests": [], "sent": 0, "break_off": 0}

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        if self.path.startswith(_CONTROL):
            wish = self.path.removeprefix(_CONTROL)
            if wish != "state":
                self.state["break_off"] = int(wish)
            self._send(200, json.dumps(self.state).encode())
        else:
            self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        asked = self.headers.get("Range")
        self.state["requests"].append((self.command, asked))
        path = self.folder / self.path.split("?")[0].lstrip("/")
        if not path.is_file():
            self._send(404, b"")
            return
        content = path.read_bytes()
        start, _, stop = (asked or "bytes=0-").removeprefix("bytes=").partition("-")
        first, last = int(start), min(int(stop or len(content)), len(content) - 1)
        part = content[first : last + 1]
        where = {"Content-Range": f"bytes {first}-{last}/{len(content)}"} if asked else {}
        breaks = body and self.state["break_off"] > 0 and len(part) > 20_000
        if breaks:
            self.state["break_off"] -= 1
        self._send(206 if asked else 200, part, len(part) // 2 if breaks else len(part), body=body,
                   **{"Accept-Ranges": "bytes", **where})
        self.close_connection = self.close_connection or breaks
        self.state["sent"] += len(part) if body and not breaks else 0

    def _send(self, status: int, content: bytes, count: int | None = None, *, body: bool = True,
              **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content[:count])

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    _Handler.folder = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
