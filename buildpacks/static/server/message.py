"""HTTP/1.1 messages as bytes: parsing a request's head, writing a response's."""
from http import HTTPStatus

REASONS = {status.value: status.phrase for status in HTTPStatus}
MAX_HEAD = 16 * 1024


class BadRequest(Exception):
    """The bytes are no request; the argument is the status to answer with."""


class Request:
    """One request without its body, which a static site has no use for."""

    __slots__ = ("method", "target", "headers", "keep_alive", "body_bytes")

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise BadRequest(400)
        self.method, self.target, version = parts
        self.headers = headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name[-1] in " \t" or line[0] in " \t":
                raise BadRequest(400)
            name = name.lower()
            if name == "content-length" and name in headers:
                raise BadRequest(400)
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        connection = headers.get("connection", "").lower()
        self.keep_alive = "close" not in connection and (version != "HTTP/1.0" or "keep-alive" in connection)
        length = headers.get("content-length", "0")
        if not length.isdigit() or "transfer-encoding" in headers:
            raise BadRequest(400 if not length.isdigit() else 411)
        self.body_bytes = int(length)


class Response:
    """A status, header fields, and a body: bytes, or a part of a file as (path, offset, count)."""

    __slots__ = ("status", "headers", "body", "file")

    def __init__(self, status, headers=(), body=b"", file=None):
        self.status = status
        self.headers = list(headers)
        self.body = body
        self.file = file

    @property
    def length(self):
        return self.file[2] if self.file else len(self.body)

    def head(self, keep_alive):
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.status not in (204, 304):
            lines.append(f"Content-Length: {self.length}")
        if not keep_alive:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def plain(status, headers=()):
    """A response that only says its status in words."""
    words = f"{REASONS.get(status, status)}\n".encode()
    return Response(status, [("Content-Type", "text/plain; charset=utf-8"), *headers], words)
