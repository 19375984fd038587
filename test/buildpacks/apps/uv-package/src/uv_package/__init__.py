import os
from http.server import BaseHTTPRequestHandler, HTTPServer

import six


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"six {six.__version__} from {__file__}\n".encode())


def main():
    HTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
