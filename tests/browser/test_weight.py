"""What a view costs on the wire: requests and bytes as the browser counts them, with nothing kept and with everything kept."""

import urllib.request

from room import conversation, finished, say
from test_widget import is_finished, open_it, page_with, say_in

#: All that came for one view, with heads; the files' texts are five to seven times that.
CHAT_BYTES_MAX = 40_000
STUDIO_BYTES_MAX = 72_000
#: A view of somebody else's page: the tag, leave to ask, the answer, the chat itself.
WIDGET_BYTES_MAX = 40_000
WIDGET_REQUESTS_MAX = 4


class Wire:
    """Counts what passes between a page and the node; what the browser has kept does not pass."""

    def __init__(self, page, url):
        self.url = url
        self.asked, self.kept, self.bytes, self.status = {}, set(), {}, {}
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", lambda one: self.asked.update({one["requestId"]: f"{one['request']['method']} {one['request']['url']}"}))
        session.on("Network.requestServedFromCache", lambda one: self.kept.add(one["requestId"]))
        session.on("Network.responseReceived", self.received)
        session.on("Network.loadingFinished", lambda one: self.bytes.update({one["requestId"]: one["encodedDataLength"]}))
        session.send("Network.enable")

    def received(self, one):
        self.status[one["requestId"]] = one["response"]["status"]
        if one["response"].get("fromDiskCache"):
            self.kept.add(one["requestId"])

    def restart(self):
        for counted in (self.asked, self.kept, self.bytes, self.status):
            counted.clear()

    def passed(self):
        """`{request: bytes}` of what went to the node."""
        return {name.replace(self.url, ""): self.bytes.get(at, 0) for at, name in self.asked.items() if at not in self.kept and name.split(" ")[1].startswith(self.url)}

    def files(self):
        """What was asked for a page's sake; what the page then says to the node is not."""
        return [name for name in self.passed() if " /v1/" not in name]


def settle(page):
    page.wait_for_load_state("networkidle")
    # An icon is no part of what a browser waits for.
    page.wait_for_timeout(200)


def check_page(room, address, ready, most):
    page = room.page(False)
    wire = Wire(page, room.url)
    page.goto(room.url + address)
    page.locator(ready).first.wait_for()
    settle(page)
    cold = wire.passed()
    print(f"     {address} cold: {sum(cold.values())} bytes, {cold}")
    assert len(wire.files()) <= 4 and sum(cold.values()) <= most, cold
    assert {name.rsplit(".", 1)[-1] for name in wire.files()[1:]} >= {"css", "js"}, cold
    for how in (lambda: page.goto(room.url + address), page.reload):
        wire.restart()
        how()
        page.locator(ready).first.wait_for()
        settle(page)
        warm = wire.passed()
        print(f"     {address} warm: {sum(warm.values())} bytes, {warm}")
        assert wire.files() == [f"GET {address}"] and warm[f"GET {address}"] < 1_000, warm
    return page


def test_a_warm_view_of_the_chat_asks_for_its_document_alone(room):
    page = check_page(room, "/", "textarea", CHAT_BYTES_MAX)
    say(page, "quote from what was kept.")
    finished(page)
    conversation(page)


def test_a_warm_view_of_the_studio_asks_for_its_document_alone(room):
    check_page(room, "/studio", "input:not([hidden])", STUDIO_BYTES_MAX)


def test_the_first_view_of_the_widget_is_light(room):
    room.shop.page = page_with(room)
    room.node.allow(room.shop.url, *room.own())
    page = room.page(False)
    wire = Wire(page, room.url)
    page.goto(room.shop.url + "/")
    page.locator("dialog").wait_for(state="attached")
    settle(page)
    cold = wire.passed()
    print(f"     widget cold: {sum(cold.values())} bytes, {cold}")
    assert len(cold) <= WIDGET_REQUESTS_MAX and sum(cold.values()) <= WIDGET_BYTES_MAX, cold
    wire.restart()
    open_it(page)
    say_in(page, "quote light.")
    is_finished(page)
    assert not wire.passed(), "opening it loads nothing more"
    wire.restart()
    page.goto(room.shop.url + "/")
    page.locator("dialog").wait_for(state="attached")
    settle(page)
    warm = wire.passed()
    print(f"     widget warm: {sum(warm.values())} bytes, {warm}")
    assert wire.files() == ["GET /widget.js"] and warm["GET /widget.js"] < 1_000, warm


def test_a_page_made_before_a_new_version_still_gets_its_files(room):
    """While nodes are renewed one by one, what one has named is asked of another."""
    page = room.page()
    script = page.locator("script[src]").get_attribute("src")
    stem, _, extension = script.rsplit(".", 2)
    with urllib.request.urlopen(f"{room.url}{stem}.{'0' * 16}.{extension}") as answer:
        assert answer.headers["cache-control"] == "no-cache" and answer.read(), "an older name is not kept"
    with urllib.request.urlopen(room.url + script) as answer:
        assert "immutable" in answer.headers["cache-control"]
