"""The widget as a guest: what the page, its libraries, its reader's clock and other tabs do to it."""

import re

from node import Node
from relay import Relay
from room import finished, say, wait_for
from test_widget import in_widget, is_finished, open_it, page_with, say_in, visit

#: A dialog that gives the keyboard back to itself from whatever is outside of it.
TRAP = """<script>addEventListener('DOMContentLoaded', () => {
    document.querySelector('main').insertAdjacentHTML('beforeend', '<div id=trap hidden><input id=mail aria-label=Mail></div>');
    document.addEventListener('focusin', ({target}) => { if (!trap.hidden && !trap.contains(target)) mail.focus(); });
})</script>"""
EARS = "<script>window.heard = []; for (const type of ['keydown', 'keypress', 'keyup']) document.addEventListener(type, () => heard.push(type))</script>"
OLD_LIBRARY = "<script>Array.prototype.toJSON = function () { return '[' + this.map((one) => JSON.stringify(one)).join(', ') + ']'; }</script>"


def clock(hours):
    return f"<script>window.off = {hours} * 3600000; const real = Date.now.bind(Date); Date.now = () => real() + window.off;</script>"


def test_a_dialog_of_the_page_does_not_take_the_keyboard(room):
    page = visit(room, TRAP)
    open_it(page)
    page.evaluate("trap.hidden = false; mail.focus()")
    page.locator("textarea").click()
    page.keyboard.type("Is it in stock?")
    assert (page.locator("textarea").input_value(), page.evaluate("mail.value")) == ("Is it in stock?", "")


def test_the_page_hears_no_key_that_is_meant_for_the_chat(room):
    page = visit(room, EARS)
    open_it(page)
    page.evaluate("heard.length = 0")
    page.keyboard.type("shop")
    assert page.locator("textarea").input_value() == "shop"
    assert page.evaluate("heard") == []


def test_what_an_old_library_makes_of_arrays_does_not_lose_what_waits(room):
    page = visit(room, OLD_LIBRARY)
    open_it(page)
    say_in(page, "first")
    is_finished(page)
    room.relay.refusing = True
    room.relay.cut()
    say_in(page, "said without a line")
    page.wait_for_timeout(200)
    page.goto("about:blank")
    room.relay.refusing = False
    page.goto(room.shop.url + "/")
    page.locator(".launcher").wait_for()
    open_it(page)
    is_finished(page, 2)
    assert page.locator(".by-contact .body").all_inner_texts() == ["first", "said without a line"]


def test_what_others_wrote_into_storage_is_no_message(room):
    page = room.page()
    wrong = page.evaluate("""async () => {
        const {Unsent} = await import('/web/unsent.js');
        const load = (text) => new Unsent({getItem: () => text}).load('x');
        const good = {ref: 'a', text: 'b'};
        return ['"[]"', '{}', 'null', '7', '[', '[null, 7, {}, {"ref": 1, "text": "x"}, {"ref": "r"}]'].map(load).filter((kept) => kept.length || !Array.isArray(kept)).concat(load(JSON.stringify([good])).length === 1 ? [] : ['lost']);
    }""")
    assert not wrong, wrong


def test_a_clock_that_is_set_back_hides_no_dead_line(room):
    page = visit(room, clock(0))
    open_it(page)
    say_in(page, "first")
    is_finished(page)
    page.evaluate("window.off = -3600000")
    room.relay.stall()
    say_in(page, "second")
    page.get_by_text("does not answer").wait_for(timeout=4_000)
    room.relay.flow()
    is_finished(page, 2)


def test_a_wrong_clock_does_not_keep_a_token_from_being_renewed(room):
    node = Node(room.model, room.options.proxy, TERTULIA_LIMITS__VISITOR_TOKEN_TTL="30s")
    relay = Relay(node.front)
    try:
        node.allow(room.shop.url)
        room.shop.page = page_with(room, clock(2)).replace(room.url, relay.url)
        page = room.page(False)
        sockets = []
        page.on("websocket", lambda opened: sockets.append(opened))
        page.goto(room.shop.url + "/")
        open_it(page)
        say_in(page, "first")
        is_finished(page)
        wait_for(lambda: page.wait_for_timeout(200) or sum(frame["type"] == "auth" for frame in page.frames_sent) >= 2, "a new token", 32)
        assert len(sockets) == 1, "it was cut for it"
    finally:
        relay.close()
        node.stop()


def test_the_address_of_the_script_names_the_tenant(room):
    page = room.page(False)
    room.shop.page = page_with(room).replace("/widget.js\" data-tenant=\"demo\"", "/widget.js?tenant=acme\"")
    room.expected += ["Failed to load resource", "no chat on this page"]
    with page.expect_request("**/v1/widget/acme"):
        page.goto(room.shop.url + "/")


def test_nobody_elses_chat_is_put_on_a_page_that_names_none(room):
    room.shop.page = page_with(room).replace(" data-tenant=\"demo\"", "")
    room.node.allow(room.shop.url, *room.own())
    room.expected += ["^error: Tertulia"]
    page = room.page(room.shop.url + "/")
    page.wait_for_timeout(800)
    assert not page.locator("tertulia-widget").count()
    [line] = [line for line in room.said if "Tertulia" in line]
    assert "widget.js?tenant=" in line, line


def test_it_is_not_printed(room):
    page = visit(room)
    open_it(page)
    page.emulate_media(media="print")
    assert not page.locator(".launcher").is_visible() and not page.locator(".card").is_visible()


def test_what_was_read_in_one_tab_is_not_unread_in_the_other(room):
    one = visit(room)
    open_it(one)
    say_in(one, "first")
    is_finished(one)
    two = room.page(room.shop.url + "/", context=one.context)
    badge = lambda: two.locator(".badge").evaluate("one => one.hidden ? null : one.textContent")
    two.locator(".launcher").wait_for()
    wait_for(lambda: two.wait_for_timeout(50) or any(frame.get("ok", {}).get("head") for frame in two.frames_received), "the other tab")
    say_in(one, "second")
    is_finished(one, 2)
    wait_for(lambda: two.wait_for_timeout(100) or (any(frame.get("event", {}).get("made") for frame in two.frames_received) and badge() is None), "nothing unread", 5)


def test_on_a_phone_it_ends_where_the_keyboard_begins(room):
    page = visit(room, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    open_it(page)
    page.evaluate("Object.defineProperty(visualViewport, 'height', {get: () => 480}); visualViewport.dispatchEvent(new Event('resize'))")
    box = page.locator("textarea").bounding_box()
    assert box["y"] + box["height"] <= 480, box


def test_a_chat_that_comes_later_says_so(room):
    limited = [True]
    refusal = {"error": {"code": "rate_limited", "message": "too many new visitors", "retry_after": 3}}
    page = room.page(False)
    cors = {"Access-Control-Allow-Origin": "*"}
    page.route("**/v1/widget/*", lambda route: route.fulfill(status=429, json=refusal, headers=cors) if limited[0] and route.request.method == "POST" else route.continue_())
    room.expected += ["Failed to load resource", "the chat comes to this page later"]
    room.shop.page = page_with(room)
    room.node.allow(room.shop.url, *room.own())
    page.goto(room.shop.url + "/")
    page.locator(".launcher.later").click()
    assert re.search(r"again at .*\d:\d\d", page.locator(".comes").inner_text())
    assert any("later" in line and "too many new visitors" in line for line in room.said), room.said
    limited[0] = False
    page.locator(".launcher:not(.later)").wait_for()
    assert page.locator("tertulia-widget").count() == 1
    open_it(page)


def test_an_erased_conversation_is_no_trap(room):
    page = visit(room)
    open_it(page)
    say_in(page, "say 200 words 40")
    page.locator(".by-assistant.streaming .body").wait_for()
    page.locator("textarea").press_sequentially("half a word")
    found = room.node.call("GET", "/v1/conversations?limit=1")["conversations"][0]["id"]
    room.node.call("DELETE", f"/v1/conversations/{found}")
    page.get_by_text("no longer available").wait_for()
    page.locator(".entry.streaming").wait_for(state="detached")
    assert not page.locator(".stop").is_visible() and page.locator("textarea").is_disabled()
    assert in_widget(page, "root.activeElement.textContent") == "New conversation"
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('tertulia-widget').shadowRoot.activeElement?.tagName === 'TEXTAREA'")
    assert page.locator("textarea").input_value() == "half a word"


def test_a_day_without_answers_is_told_with_its_end(room):
    told = room.page().evaluate("""async () => {
        const {Entry} = await import('/web/ui/entry.js');
        const {words} = await import('/web/ui/texts.js');
        const note = (retry_after) => new Entry({kind: 'message', author: 'assistant', status: 'done', end: 'failed', text: '', seq: 3, at: new Date().toISOString(), made: {error: 'quota_exhausted', retry_after}},
            {words: words('en'), name: 'A', mine: () => false, waiting: false}).note.textContent;
        return [note(60), note(36000)];
    }""")
    assert "few minutes" in told[0] and re.search(r"before .*\d:\d\d", told[1]) and "minutes" not in told[1], told


def test_a_tab_that_was_sent_away_says_so_and_goes_on_when_somebody_writes(room):
    page = room.page(False)
    sockets = []

    def routed(socket):
        sockets.append(socket)
        server = socket.connect_to_server()
        if len(sockets) > 1:
            return

        def heard(message):
            server.send(message)
            if '"say"' in message:
                socket.send('{"type":"going_away","retry_after_ms":30000}')
                socket.close(code=4013)

        socket.on_message(heard)

    page.route_web_socket("**/v1/ws", routed)
    page.goto(room.url + "/")
    say(page, "first")
    page.get_by_text("open in other tabs").wait_for()
    assert not page.get_by_text("connection is gone").count()
    page.locator("textarea").press_sequentially("s")
    page.wait_for_function("() => !document.querySelector('.notice').textContent")
    finished(page)
    page.locator("textarea").fill("")
    say(page, "second")
    finished(page, 2)
    assert len(sockets) == 2
