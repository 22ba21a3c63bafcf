"""Runs the browser tests: `python -B tests/browser/run.py [words in a test's name…]`.

Needs the packages of `requirements.txt` and a Chromium (`TERTULIA_TEST_CHROMIUM`, else the system's).
The node is `TERTULIA_TEST_PROGRAM`, else `target/debug/tertulia`.
`--shots DIR` keeps pictures of the pages. `--proxy PROGRAM` is for development: the program is started
as `PROGRAM port node-url api-key web-folder`, serves the pages from the folder and passes the rest on.
"""

import argparse
import importlib
import os
import pathlib
import shutil
import sys
import time
import traceback

from playwright.sync_api import sync_playwright

import stub
from node import Node
from relay import Relay, Shop
from room import Room

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="*")
    parser.add_argument("--proxy")
    parser.add_argument("--shots", type=pathlib.Path)
    options = parser.parse_args()
    chromium = os.environ.get("TERTULIA_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    tests = [test for test in found() if all(word in f"{test.__module__} {test.__name__}" for word in options.words)]
    model = stub.start()
    node = Node(model, options.proxy)
    relay = Relay(node.front)
    failed = 0
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for test in tests:
                failed += not passes(test, Room(browser, node, relay, Shop(), model, options))
            browser.close()
    finally:
        relay.close()
        node.stop()
    print(f"{len(tests) - failed} of {len(tests)} passed")
    return 1 if failed or not tests else 0


def found():
    for file in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(file.stem)
        yield from (thing for name, thing in vars(module).items() if name.startswith("test_") and callable(thing))


def passes(test, room):
    started = time.monotonic()
    name = f"{test.__module__.removeprefix('test_')}: {test.__name__.removeprefix('test_').replace('_', ' ')}"
    try:
        test(room)
        room.check_quiet()
    except Exception:
        print(f"FAIL {name}", flush=True)
        traceback.print_exc(file=sys.stdout)
        room.show_trouble()
        return False
    finally:
        room.close()
    print(f"ok   {name} ({time.monotonic() - started:.1f} s)", flush=True)
    return True


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.exit(main())
