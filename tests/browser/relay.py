"""A line between browser and node that can be cut, and a server for pages of another origin."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Relay:
    """Passes bytes on. `cut` breaks all connections; while `refusing`, new ones break at once. Between
    `stall` and `flow` nothing passes and nothing breaks, as on a dead line; what waited comes then."""

    def __init__(self, port):
        self.behind = port
        self.refusing = False
        self.flowing = threading.Event()
        self.flowing.set()
        self.pairs = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.behind))
            except OSError:
                near.close()
                continue
            pair = (near, far)
            self.pairs.add(pair)
            for source, target in (pair, pair[::-1]):
                threading.Thread(target=self.pump, args=(source, target, pair), daemon=True).start()

    def pump(self, source, target, pair):
        try:
            while data := source.recv(65536):
                self.flowing.wait()
                target.sendall(data)
        except OSError:
            pass
        self.end(pair)

    def end(self, pair):
        self.pairs.discard(pair)
        for side in pair:
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            side.close()

    def stall(self):
        self.flowing.clear()

    def flow(self):
        self.flowing.set()

    def cut(self):
        for pair in list(self.pairs):
            self.end(pair)

    def close(self):
        self.listener.close()
        self.flow()
        self.cut()


class Shop:
    """Somebody else's page: `page` is its HTML, `policy` its content security policy."""

    def __init__(self):
        shop = self
        self.page = ""
        self.policy = None

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = shop.page.encode() if self.path == "/" else b""
                self.send_response(200 if self.path == "/" else 204)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                if shop.policy:
                    self.send_header("Content-Security-Policy", shop.policy)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
