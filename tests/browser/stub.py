"""An OpenAI-compatible model that says what it is told, as slowly as it is told.

The last message of the user is the script, e.g. `say 40 words 50` (40 words, 50 ms each) or
`quote <anything>` (that text in small pieces). Anything else is answered with one short sentence.
"""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

QUICK_MS = 5


def script(asked):
    """The pieces of the answer and the pause between them, in seconds."""
    told = re.search(r"say (\d+) words (\d+)", asked)
    if told:
        words = [f"word{n} " for n in range(1, int(told[1]) + 1)]
        # Two code units in UTF-16, and more bytes in UTF-8: offsets count them as one.
        return [f"\U0001f33f{word}" if n % 7 == 3 else word for n, word in enumerate(words)], int(told[2]) / 1000
    quoted = re.search(r"quote (.*)", asked, re.DOTALL)
    if quoted:
        return re.findall(r".{1,12}", quoted[1], re.DOTALL), QUICK_MS / 1000
    return re.findall(r"\S+\s*", "I heard you, and this is my answer."), QUICK_MS / 1000


def expected(asked):
    """What the stub says to this, whole."""
    return "".join(script(asked)[0])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user")
        if not isinstance(asked, str):
            asked = "".join(part.get("text", "") for part in asked)
        pieces, pause = script(asked)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            for piece in pieces:
                self.chunk({"choices": [{"index": 0, "delta": {"content": piece}}]})
                time.sleep(pause)
            self.chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            self.chunk({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": len(pieces)}})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            pass  # The node stopped listening: the reply was cancelled.
        self.close_connection = True

    def chunk(self, what):
        self.wfile.write(b"data: " + json.dumps({"id": "x", "model": "stub", **what}).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, *_):
        pass


def start():
    """Starts it on a free port and gives its address for `OPENAI_BASE_URL`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"
