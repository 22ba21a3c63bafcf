"""What a page shows when something fails for good, or has to wait: why, that nothing is lost, and a way on."""

import json
import re

from room import DESKTOP, PHONE, check_axe, finished, reply, say, text, wait_for

#: A node's last word to a socket, put in the place of what the real one says.
REFUSING = """refusal => { window.refusing = refusal; const Real = WebSocket; window.WebSocket = class extends Real {
    send(frame) {
        const {type, ref} = JSON.parse(frame);
        if (!window.refusing || type !== 'auth') return window.refusing ? undefined : super.send(frame);
        setTimeout(() => { this.onmessage?.({data: JSON.stringify({type: 'reply', ref, error: window.refusing})}); });
    }
}; }"""
LATER = {"code": "quota_exhausted", "message": "too many sockets", "retry_after": 40}
WRONG = {"code": "unauthorized", "message": "no such token"}

#: Every look that is checked: device, scheme, and where lines begin.
LOOKS = [(DESKTOP, "light", None), (PHONE, "dark", None), (PHONE, "light", "ar")]


def refused(room, refusal, language=None, **options):
    page = room.page(False, **options)
    page.add_init_script(f"({REFUSING})({json.dumps(refusal)})")
    if language:
        def look(route):
            answer = route.fetch()
            body = answer.json()
            route.fulfill(response=answer, json=body | {"look": body["look"] | {"language": language}})

        page.route("**/v1/widget/*", look)
    page.goto(room.url + "/")
    page.locator("textarea").wait_for()
    return page


def test_a_refusal_that_passes_is_told_with_its_time_and_ends_by_itself(room):
    for number, (device, scheme, language) in enumerate(LOOKS):
        page = refused(room, {**LATER, "retry_after": 40}, language, color_scheme=scheme, **device)
        say(page, "quote kept while waiting.")
        page.locator(".notice").get_by_text("Too much is going on right now.").wait_for()
        wait_for(lambda: page.wait_for_timeout(20) or re.search(r"Next try in \d+ sec", page.locator(".notice").inner_text()), "the time")
        assert "Waiting for the connection" in page.locator(".by-contact").inner_text()
        check_axe(page, f"later {number}")
        room.shot(page, f"later-{number}")
        page.evaluate("window.refusing = null")
        page.get_by_role("button", name="Try now").click()
        finished(page)
        assert text(page) == "kept while waiting."


def test_a_short_wait_ends_without_a_hand(room):
    page = refused(room, {**LATER, "retry_after": 1})
    say(page, "quote by itself.")
    page.locator(".notice").get_by_text("Too much is going on right now.").wait_for()
    page.evaluate("window.refusing = null")
    finished(page)
    assert text(page) == "by itself."


def test_who_is_signed_out_is_told_and_what_was_not_sent_goes_on_request(room):
    for number, (device, scheme, language) in enumerate(LOOKS):
        page = refused(room, WRONG, language, color_scheme=scheme, **device)
        page.locator(".notice").get_by_text("You have been signed out of this chat.").wait_for()
        say(page, "quote said while signed out.")
        failed = page.locator(".by-contact.failed")
        failed.get_by_text("Not sent. You were signed out.").wait_for()
        check_axe(page, f"signed out {number}")
        room.shot(page, f"signed-out-{number}")
        page.evaluate("window.refusing = null")
        if number % 2:
            page.get_by_role("button", name="Connect again").click()
            page.wait_for_function("() => !document.querySelector('.notice').textContent")
        failed.get_by_role("button", name="Try again").click()
        finished(page)
        assert text(page) == "said while signed out." and page.locator(".by-contact").count() == 1


def test_the_line_down_looks_as_it_should(room):
    for number, (device, scheme, language) in enumerate(LOOKS):
        page = refused(room, None, language, color_scheme=scheme, **device)
        say(page, "quote We ship to Portugal in two to four working days.")
        finished(page)
        room.relay.stall()
        say(page, "quote Are you still there?")
        page.locator(".notice").get_by_text("The connection does not answer.").wait_for()
        page.get_by_text("Waiting for the connection").wait_for()
        check_axe(page, f"line down {number}")
        room.shot(page, f"line-down-{number}")
        room.relay.flow()
        finished(page, 2)


FAILED = [("failed", "", "model_unavailable", "Sorry, that could not be answered."), ("completed", "", None, "Sorry, that could not be answered."),
          ("completed", " \n", None, "Sorry, that could not be answered."), ("incomplete", "Half an ans", "model_truncated", "Cut off"), ("filtered", "", None, "Withheld")]


def test_a_reply_without_an_answer_has_an_apology_and_a_way_on(room):
    """However a turn ended without an answer, also in logs of before."""
    for number, (end, words, error, apology) in enumerate(FAILED):
        page = room.page(False, **(PHONE if number % 2 else DESKTOP))

        def spoil(socket):
            server = socket.connect_to_server()
            server.on_message(lambda data: socket.send(spoiled(data, end, words, error)))

        page.route_web_socket("**/v1/ws", spoil)
        page.goto(room.url + "/")
        say(page, "quote a good answer.")
        finished(page)
        assert apology in reply(page).inner_text(), (end, reply(page).inner_text())
        check_axe(page, f"no answer {number}")
        room.shot(page, f"no-answer-{number}")
        again = reply(page).get_by_role("button", name="Try again")
        again.click()
        finished(page, 2)
        assert text(page, 1) == "a good answer.", text(page, 1)
        assert page.locator(".by-contact:visible").count() == 1 and not reply(page, 0).get_by_role("button", name="Try again").is_visible()


def spoiled(data, end, words, error, turns=1):
    """The first replies ended otherwise; what comes after is as it was."""
    frame = json.loads(data)
    event = frame.get("event", {})
    if event.get("turn", turns + 1) <= turns and event.get("type") == "message":
        event |= {"end": end, "text": words}
        if error:
            event["made"] = event.get("made", {}) | {"error": error}
        return json.dumps(frame)
    if frame.get("type") == "delta" and frame.get("turn", 0) <= turns:
        return json.dumps({"type": "signal", "conversation": frame["conversation"], "author": "system", "signal": "none"})
    return data


