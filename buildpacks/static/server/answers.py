"""Which answer a site gives to a request: files, clean URLs, routes, redirects, headers, ranges, compression.

Knows no sockets (server.py has them). Files of a dyno don't change, so what was looked up once is kept, within bounds.
Times of files are fixed in the image, so validators are made of content, never of time.
"""
import base64
import gzip
import hashlib
import hmac
import os
import re
from urllib.parse import quote, unquote_to_bytes

from message import Response, plain

TYPES = {
    "html": "text/html", "htm": "text/html", "css": "text/css", "js": "text/javascript", "mjs": "text/javascript",
    "json": "application/json", "map": "application/json", "webmanifest": "application/manifest+json",
    "xml": "text/xml",
    "txt": "text/plain", "md": "text/markdown", "csv": "text/csv", "svg": "image/svg+xml", "png": "image/png",
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "avif": "image/avif",
    "ico": "image/x-icon", "woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf", "otf": "font/otf",
    "eot": "application/vnd.ms-fontobject", "pdf": "application/pdf", "zip": "application/zip",
    "gz": "application/gzip",
    "mp4": "video/mp4", "webm": "video/webm", "mp3": "audio/mpeg", "ogg": "audio/ogg", "wav": "audio/wav",
    "wasm": "application/wasm", "rss": "application/rss+xml", "atom": "application/atom+xml", "ics": "text/calendar",
}
TEXTUAL = re.compile(r"^text/|json$|javascript$|xml$|wasm$|ttf$|otf$|fontobject$")
# Files of the app's own business when the site is the whole repository.
PRIVATE = {"Procfile", "static.json", "Staticfile", "app.json", "package.json", "package-lock.json", "node_modules"}
SMALL = 256 * 1024
CACHE_BYTES = 4 * 1024 * 1024
CACHE_ENTRIES = 1000


class Found:
    """A file that was looked up: where it is, what it is, and its content when that is small."""

    __slots__ = ("path", "size", "etag", "type", "content", "compressed")

    def __init__(self, path):
        self.path = path
        self.size = os.stat(path).st_size
        extension = os.path.basename(path).rpartition(".")[2].lower()
        self.type = TYPES.get(extension, "application/octet-stream")
        with open(path, "rb") as file:
            if self.size <= SMALL:
                self.content = file.read()
                digest = hashlib.sha1(self.content, usedforsecurity=False)
            else:
                self.content = None
                digest = hashlib.file_digest(file, "sha1")
        self.etag = f'"{digest.hexdigest()[:20]}"'
        self.compressed = None
        if self.content and self.size > 512 and TEXTUAL.search(self.type):
            smaller = gzip.compress(self.content, 6, mtime=0)
            self.compressed = smaller if len(smaller) < self.size else None

    @property
    def kept_bytes(self):
        return len(self.content or b"") + len(self.compressed or b"")


def pattern(glob):
    """`*` is anything within a segment, `**` anything at all."""
    parts = re.split(r"(\*\*|\*)", glob if glob.startswith("/") else f"/{glob}")
    return re.compile("".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts) + r"\Z", re.S)


class Site:
    """A folder and the rules of its config.json. `respond` never raises for anything a client sends."""

    def __init__(self, app, config, env):
        self.app = os.path.realpath(app)
        self.root = os.path.realpath(os.path.join(app, config.get("root", ".")))
        self.whole_app = self.root == self.app
        self.clean_urls = config.get("clean_urls", False)
        self.https_only = config.get("https_only", False)
        self.canonical_host = config.get("canonical_host")
        self.error_page = config.get("error_page")
        self.routes = [(pattern(glob), target) for glob, target in config.get("routes", {}).items()]
        self.headers = [(pattern(glob), list(fields.items())) for glob, fields in config.get("headers", {}).items()]
        self.redirects = {}
        for source, target in config.get("redirects", {}).items():
            url, status = (target, 301) if isinstance(target, str) else (target["url"], target.get("status") or 301)
            self.redirects[source] = (re.sub(r"\$\{(\w+)\}", lambda name: env.get(name[1], ""), url), int(status))
        self.credentials = None
        if config.get("basic_auth") or env.get("BASIC_AUTH_USERNAME"):
            pair = f"{env.get('BASIC_AUTH_USERNAME', '')}:{env.get('BASIC_AUTH_PASSWORD', '')}"
            self.credentials = b"Basic " + base64.b64encode(pair.encode())
        self.kept = {}
        self.kept_bytes = 0

    def respond(self, request):
        if request.method not in ("GET", "HEAD"):
            return plain(405, [("Allow", "GET, HEAD")])
        path, query = self.path_of(request.target)
        if path is None:
            return plain(400)
        response = self.answer(request, path, query)
        # A rule further down is the more special one and wins.
        extra = {}
        for glob, fields in self.headers:
            if glob.match(path):
                extra.update({name.lower(): (name, value) for name, value in fields})
        if extra:
            response.headers = [field for field in response.headers if field[0].lower() not in extra]
            response.headers += extra.values()
        return response

    def answer(self, request, path, query):
        host = request.headers.get("host", "")
        if self.https_only and request.headers.get("x-forwarded-proto", "https") == "http":
            return redirect(301, f"https://{self.canonical_host or host}{quote(path)}{query}")
        if self.canonical_host and host != self.canonical_host:
            scheme = request.headers.get("x-forwarded-proto", "https")
            return redirect(301, f"{scheme}://{self.canonical_host}{quote(path)}{query}")
        if self.credentials and not hmac.compare_digest(
            request.headers.get("authorization", "").encode("latin-1", "replace"), self.credentials
        ):
            return plain(401, [("WWW-Authenticate", 'Basic realm="Restricted"')])
        if path in self.redirects:
            url, status = self.redirects[path]
            return redirect(status, url)
        found = self.find(path)
        if isinstance(found, str):
            return redirect(301, quote(found) + query)
        if found is None:
            target = next((target for glob, target in self.routes if glob.match(path)), None)
            found = self.lookup(f"/{target.lstrip('/')}") if target else None
        if found is not None:
            return serve(found, request)
        page = self.lookup(f"/{self.error_page.lstrip('/')}") if self.error_page else self.lookup("/404.html")
        return serve(page, request, 404) if page else plain(404)

    @staticmethod
    def path_of(target):
        """The decoded path of a request's target, and its query with the `?`; None when it is no path."""
        if target.startswith(("http://", "https://")):
            target = "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"
        raw, mark, query = target.partition("?")
        path = unquote_to_bytes(raw).decode("utf-8", "surrogateescape")
        if not path.startswith("/") or "\0" in path or "\\" in path or any(ord(letter) < 32 for letter in target):
            return None, ""
        return path, mark + query

    def find(self, path):
        """The file at a path; a text when the path should have another form; None when there is nothing."""
        if path.endswith("/"):
            found = self.lookup(f"{path}index.html")
            if found is None and self.clean_urls and path != "/":
                found = self.lookup(f"{path[:-1]}.html")
            return found
        found = self.lookup(path)
        if found is None and self.clean_urls:
            found = self.lookup(f"{path}.html")
        # Two slashes at the front would lead to another host.
        if found is None and self.lookup(f"{path}/index.html") is not None:
            return f"/{path.lstrip('/')}/"
        return found

    def lookup(self, path):
        if path in self.kept:
            return self.kept[path]
        found = self.read(path)
        # Only what exists is kept: names that don't are a client's to invent.
        if found is not None:
            if len(self.kept) >= CACHE_ENTRIES or self.kept_bytes + found.kept_bytes > CACHE_BYTES:
                self.kept.clear()
                self.kept_bytes = 0
            self.kept[path] = found
            self.kept_bytes += found.kept_bytes
        return found

    def read(self, path):
        parts = [part for part in path.split("/") if part]
        if any(part.startswith(".") and part != ".well-known" for part in parts):
            return None
        if self.whole_app and parts and parts[0] in PRIVATE:
            return None
        try:
            real = os.path.realpath(os.path.join(self.root, *parts))
            hidden = (f"{self.app}/.heroku/", f"{self.app}/.git/")
            inside = real.startswith(f"{self.app}/") and not real.startswith(hidden)
            return Found(real) if inside and os.path.isfile(real) else None
        except (OSError, ValueError):
            return None


def redirect(status, url):
    return plain(status, [("Location", "".join(letter if " " < letter < "\x7f" else quote(letter) for letter in url))])


def serve(found, request, status=200):
    kind = found.type
    if kind.startswith("text/") or kind in ("application/json", "image/svg+xml"):
        kind += "; charset=utf-8"
    headers = [("Content-Type", kind), ("ETag", found.etag)]
    if found.compressed is not None:
        headers.append(("Vary", "Accept-Encoding"))
    if status == 200:
        headers.append(("Accept-Ranges", "bytes"))
        if matches(request.headers.get("if-none-match"), found.etag):
            return Response(304, headers[1:])
        part = byte_range(request, found)
        if part == "unsatisfiable":
            return plain(416, [("Content-Range", f"bytes */{found.size}")])
        if part:
            start, end = part
            headers.append(("Content-Range", f"bytes {start}-{end}/{found.size}"))
            return Response(206, headers, file=(found.path, start, end - start + 1))
    if found.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        headers[1] = ("ETag", f"W/{found.etag}")
        return Response(status, [*headers, ("Content-Encoding", "gzip")], found.compressed)
    if found.content is None:
        return Response(status, headers, file=(found.path, 0, found.size))
    return Response(status, headers, found.content)


def matches(given, etag):
    if given is None:
        return False
    return given.strip() == "*" or etag in [each.strip().removeprefix("W/") for each in given.split(",")]


def byte_range(request, found):
    """(first, last) of a range, None for the whole file, or 'unsatisfiable'. Several ranges get the whole file."""
    given = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", request.headers.get("range", "").replace(" ", ""))
    if given is None or given.group() == "bytes=-" or request.headers.get("if-range", found.etag) != found.etag:
        return None
    first, last = given.groups()
    if not first:
        start, end = max(0, found.size - int(last)), found.size - 1
        return (start, end) if int(last) > 0 and found.size else "unsatisfiable"
    start, end = int(first), min(int(last), found.size - 1) if last else found.size - 1
    if start >= found.size:
        return "unsatisfiable"
    return (start, end) if start <= end else None
