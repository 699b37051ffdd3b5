"""A small real HTTP server that answers what a test lays down for it, in the words of the gateway's contract."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

API = "/api/celery"
TASK_ID = "01a20d21-3601-78e1-ba20-62e404ddb40e"
STATUS: dict[str, Any] = {
    "task_id": TASK_ID,
    "task_type": "shop.order",
    "name": "shop.order",
    "status": "PENDING",
    "result": None,
    "error": None,
    "progress": None,
    "launched_at": "2026-11-24T10:00:00Z",
    "attempt": 1,
}
RECEIPT = {**STATUS, "message": "shop.order was launched", "status_url": f"{API}/tasks/{TASK_ID}"}


class Asked(NamedTuple):
    """One request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Reply(NamedTuple):
    """What one request is answered."""

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    end: str = "whole"
    """`whole`; `broken`: reset in the middle; `silent`: nothing at all; `held`: left open until the test ends."""
    headers: tuple[tuple[str, str], ...] = ()


class Contract:
    """The replies that are left for each path; the last one of a path is given again and again."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[Asked] = []
        self.url = ""
        self.is_over = threading.Event()

    def lay(self, path: str, *replies: Reply) -> None:
        """Lay down what requests to `METHOD /path` below the prefix are answered, one after the other."""
        method, _, rest = path.partition(" ")
        self.replies[f"{method} {API}{rest}"] = list(replies)

    def take(self, asked: Asked) -> Reply:
        """Remember a request and choose its reply."""
        self.asked.append(asked)
        left = self.replies.get(f"{asked.method} {asked.path}")
        if not left:
            return problem(404, "not_found", "nothing is here")
        return left.pop(0) if len(left) > 1 else left[0]


def reply(value: object, *, status: int = 200) -> Reply:
    """Answer JSON."""
    return Reply(status=status, body=json.dumps(value).encode())


def problem(status: int, code: str, detail: str, **members: object) -> Reply:
    """Answer a problem document."""
    body = {"type": f"urn:{code}", "title": "A title", "status": status, "detail": detail, "code": code, **members}
    return Reply(status=status, body=json.dumps(body).encode(), kind="application/problem+json")


def stream(*events: str, end: str = "whole") -> Reply:
    """Answer an event stream."""
    return Reply(body="".join(events).encode(), kind="text/event-stream", end=end)


def event(number: int, status: str, *, kind: str = "status", **members: object) -> str:
    """Write one event."""
    data = json.dumps({**STATUS, "status": status, **members})
    return f"id: {number}-0\nevent: {kind}\ndata: {data}\n\n"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    contract: Contract

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        content = self.rfile.read(length)
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        body = json.loads(content) if content else None
        self._answer(self.contract.take(Asked(self.command, url.path, query, dict(self.headers), body)))

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names that the standard library looks for

    def _answer(self, answer: Reply) -> None:
        self.close_connection = True
        if answer.end == "silent":
            self._reset()
            return
        self.send_response(answer.status)
        if answer.status == HTTPStatus.NO_CONTENT:
            self.end_headers()
            return
        self.send_header("Content-Type", answer.kind)
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(answer.body), answer.body) if answer.body else b"")
        if answer.end == "whole":
            self.wfile.write(b"0\r\n\r\n")
        elif answer.end == "held":
            self.contract.is_over.wait(30)
        else:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serve_contract() -> Iterator[Contract]:
    """Serve on a free port of this machine."""
    contract = Contract()
    handler = type("Handler", (_Handler,), {"contract": contract})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    contract.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield contract
    finally:
        contract.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()
