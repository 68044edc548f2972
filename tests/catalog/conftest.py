"""A server on 127.0.0.1 that misbehaves on request."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

Fault = Callable[["Handler", bytes], bool]


class Handler(BaseHTTPRequestHandler):
    """Serves `server.files` with ranges and ETags; a fault may answer instead."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.server.requests.append((path, self.headers.get("Range")))
        if path.startswith("/storage/v1/b/"):
            return self._list(path, parse_qs(parts.query))
        body = self.server.files.get(path)
        if body is None:
            return self.refuse(404)
        faults = self.server.faults.get(path, [])
        if faults and faults.pop(0)(self, body):
            return None
        return self.serve(body)

    def serve(self, body: bytes, *, cut_after: int | None = None) -> None:
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        start = 0
        wanted = self.headers.get("Range")
        if wanted and self.headers.get("If-Range", tag) == tag and self.server.ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(body) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        sent = body[start:] if cut_after is None else body[start : start + cut_after]
        self.wfile.write(sent)
        if cut_after is not None:
            self.close_connection = True

    def refuse(self, code: int, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _list(self, path: str, query: dict[str, list[str]]) -> None:
        bucket = path.split("/")[4]
        prefix = f"/{bucket}/{query['prefix'][0]}"
        names = sorted(name for name in self.server.files if name.startswith(prefix))
        start = int(query.get("pageToken", ["0"])[0] or 0)
        page: dict[str, Any] = {"items": [
            {"name": name.removeprefix(f"/{bucket}/"), "size": str(len(self.server.files[name])),
             "md5Hash": base64.b64encode(hashlib.md5(self.server.files[name]).digest()).decode()}
            for name in names[start : start + 2]
        ]}  # fmt: skip
        if start + 2 < len(names):
            page["nextPageToken"] = str(start + 2)
        body = json.dumps(page).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.ranges = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
