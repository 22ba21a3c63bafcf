"""A line that is dead, slow or offline: it is told within two seconds, nothing is lost, nothing comes twice."""

import re
import time

from room import conversation, finished, grown, reply, say, text, wait_for
from stub import expected
from test_studio import studio
from test_widget import is_finished, open_it, say_in, visit

TOLD_S = 2.0
#: So long "Connected again" is shown.
BACK_S = 2.0
DOWN = re.compile("does not answer|connection is gone|You are offline|Connection lost|no connection yet")


def told_after(page, place, since):
    """How long it took until the page said that the line is down."""
    page.locator(place).get_by_text(DOWN).wait_for(timeout=12_000)
    return time.monotonic() - since


def chat(room):
    page = room.page()
    say(page, "first")
    finished(page)
    return page, ".notice", lambda count: finished(page, count)


def widget(room):
    page = visit(room)
    open_it(page)
    say_in(page, "first")
    is_finished(page)
    return page, ".notice", lambda count: is_finished(page, count)


def try_it(room):
    page = studio(room, "try")
    say(page, "first")
    finished(page)
    return page, ".stand", lambda count: finished(page, count)


def contact_said(room, page):
    found = room.node.call("GET", "/v1/conversations?limit=1")["conversations"][0]["id"]
    return room.node.messages(found, "contact")


def test_a_dead_line_is_told_and_what_was_said_on_it_arrives_once(room):
    wrong = []
    for place in (chat, widget, try_it):
        page, notice, ends = place(room)
        room.relay.stall()
        say_in(page, "quote said on a dead line.")
        said = time.monotonic()
        took = told_after(page, notice, said)
        page.locator("textarea").fill("typed meanwhile")
        # Longer than the client is patient with one socket: what was said goes out on a second one as well.
        page.wait_for_timeout(7_000)
        assert page.locator("textarea").input_value() == "typed meanwhile"
        assert page.locator(".by-contact.sending").count() == 1, "what was said is gone"
        room.relay.flow()
        ends(2)
        page.wait_for_function("place => !(document.querySelector(place) ?? document.querySelector('tertulia-widget').shadowRoot.querySelector(place)).textContent", arg=notice, timeout=15_000)
        said = contact_said(room, page)
        if took > TOLD_S or said != ["first", "quote said on a dead line."]:
            wrong.append((place.__name__, round(took, 2), said))
        page.close()
    assert not wrong, wrong


def test_a_browser_without_a_network_says_so(room):
    wrong = []
    for place in (chat, widget, try_it):
        page, notice, ends = place(room)
        gone = time.monotonic()
        page.context.set_offline(True)
        took = told_after(page, notice, gone)
        say_in(page, "quote written offline.")
        page.locator(".by-contact.sending").wait_for()
        page.context.set_offline(False)
        back = time.monotonic()
        ends(2)
        said = contact_said(room, page)
        if took > TOLD_S or said != ["first", "quote written offline."] or time.monotonic() - back > 8:
            wrong.append((place.__name__, round(took, 2), said, round(time.monotonic() - back, 2)))
        page.close()
    assert not wrong, wrong


def test_a_reply_that_stops_for_a_dead_line_is_told(room):
    for page, notice, ends in (chat(room), try_it(room)):
        say_in(page, "say 120 words 30")
        grown(page, 100)
        room.relay.stall()
        took = told_after(page, notice, time.monotonic())
        room.relay.flow()
        ends(2)
        assert text(page) == expected("say 120 words 30").strip()
        # Half a second for what was under way when the line died.
        assert took < TOLD_S + 2.5, took
        page.close()


def test_who_types_on_a_dead_line_is_told_before_they_send(room):
    page, notice, _ = chat(room)
    page.wait_for_timeout(1_200)
    room.relay.stall()
    page.locator("textarea").press_sequentially("Hel")
    took = told_after(page, notice, time.monotonic())
    assert took < TOLD_S, took
    room.relay.flow()
    page.locator(notice).get_by_text("Connected again").wait_for()


def newest(room):
    return room.node.call("GET", "/v1/conversations?limit=1")["conversations"][0]


def told_for_good(page):
    """That it is gone stands there although "Connected again" was to be wiped meanwhile, and leads on."""
    page.locator(".notice").get_by_text("This conversation is no longer available.").wait_for()
    page.wait_for_timeout(BACK_S * 1000 + 500)
    assert page.locator(".notice .told").inner_text() == "This conversation is no longer available."
    assert page.locator("textarea").is_disabled()
    page.locator(".notice button").click()
    page.locator("textarea:enabled").wait_for()


def test_a_conversation_that_is_gone_at_a_reconnect_says_so_for_good(room):
    for place in (chat, widget):
        page, notice, ends = place(room)
        page.context.set_offline(True)
        page.locator(notice).get_by_text(DOWN).wait_for()
        room.node.call("DELETE", f"/v1/conversations/{newest(room)['id']}")
        page.context.set_offline(False)
        told_for_good(page)
        say_in(page, "quote on we go.")
        ends(1)
        page.close()


def test_a_conversation_that_another_has_again_after_a_split_says_so_for_good(room):
    page, _, _ = chat(room)
    mine = newest(room)["contact_id"]
    theirs = room.node.call("POST", "/v1/conversations", {"contact": "nora"})["id"]
    room.node.call("POST", f"/v1/conversations/{theirs}/messages", {"ref": "1", "text": "quote asked by mail"})
    [nora] = room.node.call("GET", "/v1/contacts?identity=external:nora")["contacts"]
    room.node.call("POST", f"/v1/contacts/{nora['id']}/merge", {"other": mine})
    page.goto(f"{room.url}/#{theirs}")
    page.locator(".by-contact", has_text="asked by mail").wait_for()
    room.node.call("POST", f"/v1/contacts/{nora['id']}/split", {"contact": mine})
    told_for_good(page)


def test_a_line_that_is_lost_again_at_once_is_told_again(room):
    page, notice, _ = chat(room)
    room.relay.refusing = True
    room.relay.cut()
    page.locator(notice).get_by_text(DOWN).wait_for()
    room.relay.refusing = False
    page.locator(notice).get_by_text("Connected again").wait_for()
    room.relay.refusing = True
    room.relay.cut()
    took = told_after(page, notice, time.monotonic())
    assert took < TOLD_S, took
    page.wait_for_timeout(BACK_S * 1000)
    assert DOWN.search(page.locator(notice).inner_text()), "the notice was wiped"


def test_a_first_connection_that_does_not_come_is_told(room):
    page = room.page(False)
    page.goto(room.url + "/")
    page.locator("textarea").wait_for()
    finished_page = page.url
    page.close()
    page = room.page(False)
    # The page itself is there; the socket gets no answer.
    page.add_init_script("window.WebSocket = class extends EventTarget { send() {} close() {} }")
    page.goto(finished_page)
    page.locator("textarea").wait_for()
    took = told_after(page, ".notice", time.monotonic())
    assert took < TOLD_S + 0.3, took


def test_a_reload_on_a_dead_line_says_so_instead_of_nothing(room):
    page = room.page(False)
    page.route("**/v1/widget/*", lambda route: None)
    page.goto(room.url + "/")
    page.get_by_text("Connecting…").wait_for(timeout=2_000)


def test_stop_on_a_dead_line_stops_when_the_line_is_back(room):
    page, notice, ends = chat(room)
    say(page, "say 400 words 40")
    grown(page, 60)
    room.relay.refusing = True
    room.relay.cut()
    page.locator(notice).get_by_text(DOWN).wait_for()
    page.get_by_role("button", name="Stop the reply").click()
    room.relay.refusing = False
    ends(2)
    assert "Stopped" in reply(page).inner_text()


def test_leaving_a_conversation_does_not_lose_what_was_said_in_it(room):
    page, notice, _ = chat(room)
    first = conversation(page)
    room.relay.refusing = True
    room.relay.cut()
    page.locator(notice).get_by_text(DOWN).wait_for()
    say(page, "quote said before leaving.")
    page.get_by_role("button", name="New conversation").click()
    page.wait_for_function("() => !location.hash")
    assert page.locator(".entry").count() == 0, "it was taken along"
    room.relay.refusing = False
    wait_for(lambda: page.wait_for_timeout(50) or room.node.messages(first, "contact") == ["first", "quote said before leaving."], "the message")
    assert page.locator(".entry").count() == 0 and "#" not in page.url


def test_the_studio_waits_for_a_node_that_does_not_answer(room):
    page = room.page(False)
    context = page.context
    from node import KEY

    context.add_init_script(f"sessionStorage.setItem('tertulia.studio.key', '{KEY}')")
    failing = [True]
    page.route("**/v1/tenant", lambda route: route.abort() if failing[0] else route.continue_())
    page.goto(room.url + "/studio")
    page.get_by_text("The node does not answer. Trying again …").wait_for(timeout=2_500)
    failing[0] = False
    page.locator("#page[data-page]").wait_for()
