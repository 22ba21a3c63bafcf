"""Browsers that keep nothing: the pages work for as long as they live."""

import json
import os
import pathlib
import shutil
import tempfile

from node import KEY
from relay import Shop
from room import OPENED, finished, say, text
from test_widget import is_finished, open_it, page_with, say_in

#: What a browser does that forbids storage, has none, has no room left, or breaks at the second look.
STORES = {
    "throws when it is looked at": "get() { throw new DOMException('denied', 'SecurityError'); }",
    "is not there": "get() { return null; }",
    "throws at every use": "get() { return new Proxy({}, { get() { throw new DOMException('denied', 'SecurityError'); } }); }",
    "is full": "get() { return { getItem: () => null, removeItem() {}, setItem() { throw new DOMException('full', 'QuotaExceededError'); } }; }",
    "reads, and throws when written": "get() { return { getItem: () => null, removeItem() { throw new Error('no'); }, setItem() { throw new Error('no'); } }; }",
}


def without(page, how):
    page.add_init_script(f"for (const kind of ['localStorage', 'sessionStorage']) Object.defineProperty(window, kind, {{ {STORES[how]}, configurable: true }});")


def test_the_widget_speaks_without_storage(room):
    room.node.allow(room.shop.url, *room.own())
    for how in STORES:
        room.shop.page = page_with(room)
        page = room.page(False)
        without(page, how)
        page.goto(room.shop.url + "/")
        page.locator(".launcher").wait_for()
        open_it(page)
        say_in(page, f"quote it {how}.")
        is_finished(page)
        assert text(page) == f"it {how}.", how
        # What was typed, and who it was, last as long as the page.
        page.evaluate("tertulia.close()")
        open_it(page)
        say_in(page, "quote and again.")
        is_finished(page, 2)
        room.check_quiet()
        page.close()


def test_the_widget_speaks_where_the_browser_forbids_all_storage(room):
    """The browser's own refusal, set as a person sets it, on a page and in a frame of another site."""
    room.node.allow(room.shop.url, *room.own())
    room.shop.page = page_with(room)
    outer = Shop()
    outer.page = f"<!doctype html><title>Another site</title><iframe src='{room.shop.url}/' width=500 height=700></iframe>"
    with tempfile.TemporaryDirectory() as folder:
        settings = pathlib.Path(folder, "Default", "Preferences")
        settings.parent.mkdir()
        settings.write_text(json.dumps({"profile": {"default_content_setting_values": {"cookies": 2}}}))
        chromium = os.environ.get("TERTULIA_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        context = room.browser.browser_type.launch_persistent_context(folder, executable_path=chromium, args=["--no-sandbox"])
        context.add_init_script(OPENED)
        try:
            page = context.new_page()
            page.on("console", lambda message: room.said.append(f"log: {message.text}"))
            page.goto(room.shop.url + "/")
            assert page.evaluate("() => { try { return Boolean(localStorage); } catch (error) { return error.name; } }") == "SecurityError"
            for framed, where in ((False, room.shop.url), (True, outer.url.replace("127.0.0.1", "localhost"))):
                page.goto(where + "/")
                place = page.frame_locator("iframe") if framed else page
                place.locator(".launcher").click()
                place.locator("textarea").fill("quote nothing is kept.")
                place.locator("textarea").press("Enter")
                place.locator(".by-assistant.done").wait_for(timeout=15_000)
        finally:
            context.close()
            outer.server.shutdown()
            outer.server.server_close()


def test_the_chat_page_speaks_without_storage(room):
    for how in STORES:
        page = room.page(False)
        without(page, how)
        page.goto(room.url + "/")
        say(page, f"quote it {how}.")
        finished(page)
        assert text(page) == f"it {how}.", how
        room.check_quiet()
        page.close()


def test_the_studio_works_without_storage(room):
    for how in STORES:
        page = room.page(False)
        without(page, how)
        page.goto(room.url + "/studio")
        page.get_by_label("API key").fill(KEY)
        page.keyboard.press("Enter")
        page.locator("#page[data-page]").wait_for()
        page.locator("nav.rail a[data-page=try]").click()
        say(page, f"quote it {how}.")
        finished(page)
        # Another page of the studio and back: the talk is still there.
        page.locator("nav.rail a[data-page=teach]").click()
        page.locator("#page[data-page=teach]").wait_for()
        page.locator("nav.rail a[data-page=try]").click()
        finished(page)
        assert text(page) == f"it {how}.", how
        room.check_quiet()
        page.close()


def test_what_waits_for_one_tenant_is_not_sent_to_another(room):
    page = room.page()
    page.evaluate("window.stored = () => Object.keys(sessionStorage).filter(key => key.startsWith('tertulia:unsent'))")
    page.locator("textarea").wait_for()
    room.relay.refusing = True
    room.relay.cut()
    say(page, "for the demo tenant only")
    page.locator(".by-contact.sending").wait_for()
    assert page.evaluate("stored()") == ["tertulia:unsent:new:demo"], page.evaluate("stored()")
    room.relay.refusing = False
    finished(page)
    assert page.evaluate("stored()") == []
