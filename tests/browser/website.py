"""A small web site on this machine for the studio to learn: a few pages, one of them slow when told so."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = "<!doctype html><html lang=en><title>{title}</title><body><nav>{links}</nav><main><h1>{title}</h1><p>{text}</p></main></body></html>"


class Website:
    """Pages by their path; `hold` is a path that answers only once `go_on` was called."""

    def __init__(self):
        site = self
        self.pages = {
            "/help": ("Help", "Ask us anything about your order, and we answer on the same day."),
            "/faq": ("Questions", "An order can be cancelled until it is packed."),
            "/returns": ("Returns", "Unopened coffee can be returned within thirty days."),
            "/wholesale": ("Wholesale", "Cafés get their own price list from five kilograms on."),
        }
        self.hold = "/wholesale"
        self.going = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/robots.txt":
                    return self.answer(200, "text/plain", "User-agent: *\nDisallow: /private\n")
                if self.path == site.hold:
                    site.going.wait(30)
                if self.path not in site.pages:
                    return self.answer(404, "text/plain", "nothing here")
                title, text = site.pages[self.path]
                links = "".join(f"<a href='{path}'>{path}</a> " for path in (*site.pages, "/private"))
                self.answer(200, "text/html; charset=utf-8", PAGE.format(title=title, text=text, links=links))

            def answer(self, status, kind, body):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.address}/help"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def go_on(self):
        self.going.set()

    def close(self):
        self.go_on()
        self.server.shutdown()
        self.server.server_close()
