"""Serves a static site on $PORT. Site.respond says what; this file moves the bytes.

One process, one event loop: small answers are written from memory, large ones by sendfile. Nothing outside of
Python's standard library, and of that as little as possible: a dyno of a site should be small and quick to start.
"""
import sys

# asyncio takes TLS along when it can; the router speaks plain HTTP to dynos, and TLS costs 5 MB of memory.
sys.modules["ssl"] = None

import asyncio  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from message import MAX_HEAD, BadRequest, Request, plain  # noqa: E402
from answers import Site  # noqa: E402

# Longer than the router keeps an idle connection, so that it is the router that ends it.
IDLE_SECONDS = 95
HEAD_SECONDS = 30
GRACE_SECONDS = 25


class Connection(asyncio.Protocol):
    """One client's connection: requests are answered one after the other."""

    def __init__(self, site, open_connections):
        self.site = site
        self.open = open_connections
        self.buffer = b""
        self.skip = 0
        self.task = None
        self.timer = None
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        self.open.add(self)
        self.wait(HEAD_SECONDS)

    def connection_lost(self, _error):
        self.open.discard(self)
        self.timer.cancel()
        if self.task:
            self.task.cancel()

    def wait(self, seconds):
        if self.timer:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(seconds, self.transport.abort)

    def data_received(self, data):
        self.buffer += data
        if len(self.buffer) > MAX_HEAD:
            self.transport.pause_reading()
        if self.task is None:
            self.next_request()

    def next_request(self):
        """Answers what has arrived, until the rest is no whole request or an answer takes its time."""
        while self.task is None and not self.transport.is_closing():
            if self.skip:
                skipped = min(self.skip, len(self.buffer))
                self.buffer, self.skip = self.buffer[skipped:], self.skip - skipped
                if self.skip:
                    break
            # Lines that a careless client sends between requests.
            self.buffer = self.buffer.lstrip(b"\r\n")
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if len(head) > MAX_HEAD:
                self.write(plain(431), False, True)
                break
            if not end:
                break
            self.buffer = rest
            self.handle(head)
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def handle(self, head):
        try:
            request = Request(head)
        except BadRequest as error:
            self.write(plain(error.args[0]), False, True)
            return
        # A body is of no use here: a short one is passed over, a long one ends the connection.
        keep_alive = request.keep_alive and request.body_bytes <= MAX_HEAD and not stopping.is_set()
        self.skip = request.body_bytes if keep_alive else 0
        self.write(self.site.respond(request), keep_alive, request.method != "HEAD")

    def write(self, response, keep_alive, with_body):
        self.wait(IDLE_SECONDS)
        head = response.head(keep_alive)
        if with_body and response.file:
            self.task = asyncio.get_running_loop().create_task(self.send_file(head, response.file, keep_alive))
            return
        self.transport.write(head + response.body if with_body else head)
        if not keep_alive:
            self.transport.close()

    async def send_file(self, head, file, keep_alive):
        path, offset, count = file
        self.timer.cancel()
        try:
            self.transport.write(head)
            with open(path, "rb") as opened:
                await asyncio.get_running_loop().sendfile(self.transport, opened, offset, count)
        except (OSError, RuntimeError):
            self.transport.abort()
            return
        finally:
            self.task = None
        if not keep_alive:
            self.transport.close()
            return
        self.wait(IDLE_SECONDS)
        self.next_request()


async def main():
    app = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(app, ".heroku", "static", "config.json"), encoding="utf-8") as file:
        site = Site(app, json.load(file), os.environ)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    connections = set()
    port = int(os.environ.get("PORT", "5000"))
    server = await loop.create_server(lambda: Connection(site, connections), "0.0.0.0", port, backlog=1024)
    print(f"Serving {site.root} on port {port}", flush=True)
    await stopping.wait()
    server.close()
    # Answers under way are finished; connections without one are closed.
    deadline = loop.time() + GRACE_SECONDS
    while connections and loop.time() < deadline:
        for connection in list(connections):
            if connection.task is None:
                connection.transport.close()
        await asyncio.sleep(0.05)


stopping = asyncio.Event()
asyncio.run(main())
