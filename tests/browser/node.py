"""A real node for the tests: started on a free port with its own data, killed and started again."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEY = "browser-test-key-0123456789"
PATIENCE_S = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, name, seconds=PATIENCE_S):
    """What `what()` gives once it is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {name}")


class Node:
    """`proxy` is a program for development that stands before the node; see `run.py`."""

    def __init__(self, model_url, proxy=None, **settings):
        self.data = tempfile.mkdtemp(prefix="tertulia-browser-")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {"TERTULIA_MODEL": "openai/stub", "OPENAI_BASE_URL": model_url, "OPENAI_API_KEY": "unused", "TERTULIA_LEARNING__PRIVATE_HOSTS": "true", **settings}
        self.program = os.environ.get("TERTULIA_TEST_PROGRAM", str(ROOT / "target/debug/tertulia"))
        self.process = None
        self.proxy = None
        self.front = self.port
        self.start()
        if proxy:
            self.front = free_port()
            self.proxy = subprocess.Popen([sys.executable, proxy, str(self.front), self.url, KEY, str(ROOT / "gateway/web")])
            wait_for(lambda: self.answers(f"http://127.0.0.1:{self.front}/web/tertulia.js"), "the proxy")

    def start(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TERTULIA_")}
        environment |= {"TERTULIA_LISTEN": f"127.0.0.1:{self.port}", "TERTULIA_DATA": self.data, "TERTULIA_API_KEY": KEY, **self.settings}
        log = open(os.path.join(self.data, "node.log"), "ab")
        self.process = subprocess.Popen([self.program], env=environment, stdout=log, stderr=log)
        wait_for(lambda: self.answers(f"{self.url}/readyz"), "the node")

    def answers(self, url):
        try:
            return urllib.request.urlopen(url, timeout=2).status == 200
        except OSError:
            return False

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait(PATIENCE_S)

    def stop(self):
        if self.proxy:
            self.proxy.kill()
            self.proxy.wait()
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def call(self, method, path, body=None, key=KEY):
        request = urllib.request.Request(self.url + path, method=method, data=None if body is None else json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {key}")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()}") from error
        return json.loads(text) if text else None

    def rotate_key(self):
        """The operator gives the tenant another key; the one before opens nothing any more."""
        operators = pathlib.Path(self.data, "admin.key").read_text().strip()
        [tenant] = self.call("GET", "/v1/admin/tenants", key=operators)["tenants"]
        return self.call("POST", f"/v1/admin/tenants/{tenant['id']}/rotate-key", key=operators)

    def change_profile(self, change):
        tenant = self.call("GET", "/v1/tenant")
        change(tenant["profile"])
        self.call("PUT", "/v1/tenant", {"version": tenant["version"], "profile": tenant["profile"]})

    def allow(self, *origins):
        self.change_profile(lambda profile: profile.update(allowed_origins=list(origins)))

    def events(self, conversation):
        return self.call("GET", f"/v1/conversations/{conversation}/events?limit=500")["events"]

    def messages(self, conversation, author):
        return [event["text"] for event in self.events(conversation) if event["type"] == "message" and event["author"] == author]
