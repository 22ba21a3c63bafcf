"""What a test is given: pages in a browser, the node, the line between them, another site."""

import json
import re
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from node import Node, wait_for
from relay import Relay

#: The widget's inside is out of reach of scripts, those of a test included; here it is open, and nothing else differs.
OPENED = "(() => { const attach = Element.prototype.attachShadow; Element.prototype.attachShadow = function (how) { return attach.call(this, {...how, mode: 'open'}); }; })()"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}


class Room:
    def __init__(self, browser, node, relay, shop, model, options):
        self.browser, self.node, self.relay, self.shop, self.model, self.options = browser, node, relay, shop, model, options
        self.url = relay.url
        self.contexts = []
        self.said = []
        #: Lines in a console that a test expects, as patterns.
        self.expected = [r"Failed to load resource: net::ERR_", r"WebSocket connection to .* failed"]
        self.node.allow(*self.own())

    def own(self):
        """A development proxy needs what the node grants its own pages."""
        return [self.url] if self.options.proxy else []

    def context(self, opened=True, **options):
        context = self.browser.new_context(**{"locale": "en-US", **DESKTOP, **options})
        if opened:
            context.add_init_script(OPENED)
        context.set_default_timeout(15_000)
        self.contexts.append(context)
        return context

    def page(self, url=None, context=None, **options):
        page = (context or self.context(**options)).new_page()
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("response", lambda answer: answer.status >= 400 and self.said.append(f"answer: {answer.status} {answer.request.method} {answer.url}"))
        page.on("pageerror", lambda error: self.said.append(f"thrown: {error}"))
        page.frames_sent, page.frames_received = [], []

        def socket(opened):
            opened.on("framesent", lambda frame: page.frames_sent.append(json.loads(frame)))
            opened.on("framereceived", lambda frame: page.frames_received.append(json.loads(frame)))

        page.on("websocket", socket)
        if url is not False:
            page.goto(url or self.url + "/")
        return page

    @contextmanager
    def own_node(self, **settings):
        """A node that a test may kill and start again, or set otherwise, and the address of a line to it."""
        node = Node(self.model, self.options.proxy, **settings)
        relay = Relay(node.front)
        node.allow(*([relay.url] if self.options.proxy else []))
        try:
            yield node, relay.url
        finally:
            relay.close()
            node.stop()
        self.expected.append("Failed to load resource")

    def check_quiet(self):
        """Nothing was thrown or complained about, a breach of the content security policy included."""
        loud = [line for line in self.said if line.startswith(("error", "warning", "thrown"))]
        loud = [line for line in loud if not any(re.search(pattern, line) for pattern in self.expected)]
        assert not loud, loud

    def show_trouble(self):
        for line in self.said:
            print("     console", line)

    def close(self):
        self.relay.refusing = False
        self.relay.flow()
        for context in self.contexts:
            # A handler that is at work when its page goes would fail the next test.
            for handlers in (*context.pages, context):
                handlers.unroute_all(behavior="ignoreErrors")
            context.close()

    def shot(self, page, name):
        if self.options.shots:
            self.options.shots.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=self.options.shots / f"{name}.png")


def say(page, text):
    page.locator("textarea").fill(text)
    page.keyboard.press("Enter")


def conversation(page):
    """The id in the chat page's address."""
    page.wait_for_function("() => location.hash.startsWith('#conv_')")
    return page.evaluate("location.hash.slice(1)")


def reply(page, nth=-1):
    return page.locator(".by-assistant").nth(nth)


def grown(page, chars):
    """Waits until the running reply has so many characters."""
    page.wait_for_function("n => (document.querySelector('.by-assistant.streaming .body')?.textContent.length ?? 0) >= n", arg=chars)


def finished(page, count=1):
    page.wait_for_function(
        "n => document.querySelectorAll('.by-assistant.done').length >= n && !document.querySelector('.by-assistant.streaming')",
        arg=count, timeout=30_000)


def text(page, nth=-1):
    return reply(page, nth).locator(".body").inner_text()


def check_axe(page, name):
    # A colour on its way from one to another is neither.
    page.wait_for_function("() => document.getAnimations().every(one => one.playState !== 'running' || one.effect.getTiming().iterations === Infinity)")
    found = Axe().run(page).response["violations"]
    told = [f"{one['id']}: {node['html'][:160]}: {node['failureSummary'][:200]}" for one in found for node in one["nodes"]]
    assert not told, f"{name}: " + "\n".join(told)


__all__ = ["DESKTOP", "OPENED", "PHONE", "Room", "check_axe", "conversation", "finished", "grown", "reply", "say", "text", "wait_for"]
