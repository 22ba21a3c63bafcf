"""The chat page: talking, stopping, sources, and what happens when the line or the node goes."""

import re
import signal
from datetime import datetime, timedelta, timezone

from room import conversation, finished, grown, reply, say, text, wait_for
from stub import expected


def test_a_reply_is_shown_while_it_is_said(room):
    page = room.page()
    page.evaluate("""() => { window.lengths = new Set(); new MutationObserver(() => {
        const body = document.querySelector('.by-assistant .body'); if (body) window.lengths.add(body.textContent.length);
    }).observe(document.body, {subtree: true, childList: true, characterData: true}); }""")
    say(page, "say 40 words 20")
    finished(page)
    assert text(page) == expected("say 40 words 20").strip()
    assert page.evaluate("window.lengths.size") > 15, "it came in few pieces"
    assert page.evaluate("document.querySelector('.thread [role=status]').textContent").startswith("Assistant: word1"), "nobody was told"
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA"


def test_sources_are_shown_and_open_from_the_text(room):
    room.node.call("POST", "/v1/knowledge", {"source": "shipping.md", "text": "# Shipping\n\nWe ship to Portugal in two to four working days by parcel."})
    page = room.page()
    say(page, "quote We ship to Portugal in two to four working days by parcel [1].")
    finished(page)
    passage = reply(page).locator("blockquote[data-n='1']")
    assert not passage.is_visible()
    reply(page).get_by_role("button", name="Source 1: Shipping").click()
    assert "four working days" in passage.inner_text()
    assert page.evaluate("document.activeElement.ariaExpanded") == "true", "the keyboard was not led to the source"


def test_stop_stops_the_reply(room):
    page = room.page()
    say(page, "say 400 words 30")
    grown(page, 60)
    page.get_by_role("button", name="Stop the reply").click()
    finished(page)
    whole = expected("say 400 words 30")
    assert 0 < len(text(page)) < len(whole) and whole.startswith(text(page))
    assert "Stopped" in reply(page).inner_text()
    assert page.get_by_role("button", name="Stop the reply").is_hidden()
    assert page.evaluate("document.activeElement.tagName") == "TEXTAREA", "the keyboard lost its place"


def test_escape_stops_the_reply(room):
    page = room.page()
    say(page, "say 400 words 30")
    grown(page, 30)
    page.keyboard.press("Escape")
    finished(page)
    assert "Stopped" in reply(page).inner_text()


def test_a_reload_in_mid_reply_loses_nothing(room):
    page = room.page()
    say(page, "say 120 words 25")
    grown(page, 100)
    page.reload()
    grown(page, 200)
    page.reload()
    finished(page)
    assert text(page) == expected("say 120 words 25").strip()
    assert page.locator(".by-contact").count() == 1


def test_a_cut_in_mid_reply_goes_on_at_the_same_character(room):
    page = room.page()
    say(page, "say 150 words 25")
    for chars in (80, 250, 500):
        grown(page, chars)
        room.relay.cut()
        joins = len([frame for frame in page.frames_sent if frame["type"] == "join"])
        wait_for(lambda: page.wait_for_timeout(20) or len([f for f in page.frames_sent if f["type"] == "join"]) > joins, "the next join")
    finished(page)
    assert text(page) == expected("say 150 words 25").strip()
    resumed = [frame["after"].split(":") for frame in page.frames_sent if frame["type"] == "join" and ":" in str(frame.get("after"))]
    assert len(resumed) == 3, page.frames_sent
    offsets = [frame["offset"] for frame in page.frames_received if frame["type"] == "delta"]
    lengths = [len(frame["text"]) for frame in page.frames_received if frame["type"] == "delta"]
    ends = [0] + [offset + length for offset, length in zip(offsets, lengths)]
    assert all(offset == end for offset, end in zip(offsets, ends)), "a character came twice, or not at all"


def test_a_longer_cut_is_told_and_mended(room):
    page = room.page()
    say(page, "say 100 words 30")
    grown(page, 60)
    room.relay.refusing = True
    room.relay.cut()
    notice = page.locator(".notice")
    notice.get_by_text("The connection is gone").wait_for()
    held = text(page)
    notice.get_by_role("button", name="Try now").click()
    room.relay.refusing = False
    notice.get_by_text("Connected again").wait_for()
    finished(page)
    assert text(page) == expected("say 100 words 30").strip() and text(page).startswith(held.strip())
    page.wait_for_function("() => !document.querySelector('.notice').textContent")


def test_what_is_said_offline_is_sent_once(room):
    page = room.page()
    say(page, "first")
    finished(page)
    room.relay.refusing = True
    room.relay.cut()
    page.locator(".notice").get_by_text("The connection is gone").wait_for()
    say(page, "said offline.")
    say(page, "and this too.")
    page.locator(".by-contact.sending").nth(1).wait_for()
    # The same tab comes back with what was not sent: a reload must not lose it either.
    kept = page.evaluate("Object.entries(sessionStorage).filter(([key]) => key.startsWith('tertulia:unsent')).map(([, value]) => value).join()")
    assert "said offline." in kept and "and this too." in kept
    room.relay.refusing = False
    page.wait_for_function("() => !document.querySelector('.by-contact.sending')")
    finished(page, 2)
    said = room.node.messages(conversation(page), "contact")
    assert said == ["first", "said offline.", "and this too."], said
    assert page.locator(".by-contact").count() == 3


def test_what_is_typed_while_the_first_message_opens_the_conversation_stays(room):
    page = room.page()
    page.locator("textarea").wait_for()
    room.relay.refusing = True
    room.relay.cut()
    say(page, "quote opened.")
    page.locator(".by-contact.sending").wait_for()
    page.locator("textarea").fill("typed meanwhile")
    page.evaluate("document.querySelector('textarea').setSelectionRange(5, 5)")
    room.relay.refusing = False
    finished(page)
    opened = conversation(page)
    assert page.evaluate("(({value, selectionStart}) => [value, selectionStart])(document.querySelector('textarea'))") == ["typed meanwhile", 5]
    # It is a draft of this conversation, and of no other.
    page.get_by_role("button", name="New conversation").click()
    page.wait_for_function("() => !location.hash")
    assert page.locator("textarea").input_value() == ""
    page.goto(f"{room.url}/#{opened}")
    page.reload()
    finished(page)
    assert page.locator("textarea").input_value() == "typed meanwhile"


def test_a_reload_in_mid_send_loses_nothing(room):
    page = room.page()
    say(page, "first")
    finished(page)
    # A socket that swallows what is said, as a phone does that has just lost its network.
    page.evaluate("WebSocket.prototype.send = () => {}")
    say(page, "kept over the reload.")
    page.locator(".by-contact.sending").wait_for()
    page.reload()
    finished(page, 2)
    assert room.node.messages(conversation(page), "contact") == ["first", "kept over the reload."]
    assert page.locator(".by-contact").count() == 2


def test_a_node_that_restarts_is_found_again(room):
    with room.own_node() as (node, url):
        page = room.page(url + "/")
        say(page, "say 200 words 30")
        grown(page, 100)
        node.kill(signal.SIGKILL)
        page.locator(".notice").get_by_text("The connection is gone").wait_for()
        say(page, "quote still here.")
        node.start()
        page.locator(".by-contact.sent").nth(1).wait_for(timeout=30_000)
        finished(page, 2)
        assert "Cut off" in reply(page, 0).inner_text()
        assert text(page, 1) == "still here."
        assert node.messages(conversation(page), "contact") == ["say 200 words 30", "quote still here."]


def test_a_token_is_renewed_on_the_living_socket(room):
    page = room.page(False)

    def soon(route):
        answer = route.fetch()
        ends = datetime.now(timezone.utc) + timedelta(seconds=4)
        route.fulfill(response=answer, json=answer.json() | {"expires_at": ends.isoformat()})

    page.route("**/v1/widget/*", soon)
    page.goto(room.url + "/")
    say(page, "say 100 words 70")
    finished(page)
    assert text(page) == expected("say 100 words 70").strip()
    kinds = [frame["type"] for frame in page.frames_sent]
    assert kinds.count("auth") >= 2 and kinds.count("join") == 1, kinds


def test_a_second_tab_sees_the_same(room):
    context = room.context()
    first = room.page(context=context)
    say(first, "say 80 words 30")
    grown(first, 60)
    second = room.page(first.url, context=context)
    grown(second, 100)
    say(second, "quote from the second tab.")
    for page in (first, second):
        finished(page, 2)
        assert text(page, 0) == expected("say 80 words 30").strip()
        assert text(page, 1) == "from the second tab."
        assert page.locator(".by-contact").count() == 2


def test_a_person_takes_over_and_hands_back(room):
    page = room.page()
    say(page, "say 400 words 30")
    grown(page, 60)
    path = f"/v1/conversations/{conversation(page)}"
    room.node.call("POST", f"{path}/human", {"action": "take", "agent": "Marta"})
    page.get_by_text("Marta has joined the conversation").first.wait_for()
    finished(page)
    room.node.call("POST", f"{path}/messages", {"ref": "marta-1", "text": "Hello, this is Marta.", "agent": "Marta"})
    entry = page.locator(".by-human")
    entry.wait_for()
    assert "Marta" in entry.locator(".who").inner_text() and "agent" in entry.locator(".who").inner_text()
    wait_for(lambda: page.wait_for_timeout(20) or "Hello, this is Marta." in page.locator(".thread [role=status]").text_content(), "the announcement")
    say(page, "quote good.")
    page.locator(".by-contact.sent").nth(1).wait_for()
    room.node.call("POST", f"{path}/human", {"action": "hand_back", "agent": "Marta"})
    finished(page, 2)
    assert text(page) == "good."


def test_other_conversations_are_listed_and_opened(room):
    page = room.page()
    say(page, "quote the first.")
    finished(page)
    first = conversation(page)
    page.get_by_role("button", name="New conversation").click()
    page.wait_for_function("() => !location.hash")
    assert page.locator(".entry").count() == 0
    say(page, "quote the second.")
    finished(page)
    titles = page.locator(".history a .title")
    wait_for(lambda: page.wait_for_timeout(20) or titles.all_inner_texts() == ["quote the second.", "quote the first."], "the list")
    titles.nth(1).click()
    finished(page)
    assert text(page) == "the first." and conversation(page) == first
    page.go_back()
    page.wait_for_function("() => document.querySelector('.by-assistant .body')?.textContent === 'the second.'")
    page.reload()
    wait_for(lambda: page.wait_for_timeout(20) or titles.all_inner_texts() == ["quote the second.", "quote the first."], "the list")


def test_a_conversation_of_somebody_else_is_gone(room):
    other = room.page()
    say(other, "quote mine.")
    finished(other)
    page = room.page(f"{room.url}/#{conversation(other)}")
    page.get_by_text("This conversation is no longer available.").wait_for()
    assert page.locator(".entry").count() == 0
    page.locator(".notice").get_by_role("button", name="New conversation").click()
    say(page, "quote my own.")
    finished(page)


def listed(page, titles):
    shown = page.locator(".history a .title")
    wait_for(lambda: page.wait_for_timeout(20) or shown.all_inner_texts() == titles, f"{titles} in place of {shown.all_inner_texts()}")


def looked_at_again(page):
    """As if its tab was shown again."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_the_list_follows_merges_splits_and_erasures(room):
    room.expected.append("404")
    page = room.page()
    say(page, "quote by chat.")
    finished(page)
    mine = room.node.call("GET", f"/v1/conversations/{conversation(page)}")["contact_id"]
    theirs = room.node.call("POST", "/v1/conversations", {"contact": "nora-of-the-list"})["id"]
    room.node.call("POST", f"/v1/conversations/{theirs}/messages", {"ref": "1", "text": "quote by mail."})
    [nora] = room.node.call("GET", "/v1/contacts?identity=external:nora-of-the-list")["contacts"]
    listed(page, ["quote by chat."])
    merge, split = ((f"/v1/contacts/{nora['id']}/{name}", {field: mine}) for name, field in (("merge", "other"), ("split", "contact")))
    room.node.call("POST", *merge)
    listed(page, ["quote by mail.", "quote by chat."])
    room.node.call("POST", *split)
    listed(page, ["quote by chat."])
    # What is refused goes at once, and with it all that has gone with it.
    room.node.call("POST", *merge)
    listed(page, ["quote by mail.", "quote by chat."])
    other = room.page(page.url, page.context)
    listed(other, ["quote by mail.", "quote by chat."])
    room.node.call("DELETE", f"/v1/conversations/{theirs}")
    other.get_by_text("quote by mail.").click()
    other.get_by_text("This conversation is no longer available.").wait_for()
    listed(other, ["quote by chat."])
    # The tab that was open all the while, when somebody comes back to it.
    looked_at_again(page)
    listed(page, ["quote by chat."])
    say(page, "quote and on.")
    finished(page, 2)
    listed(page, ["quote by chat."])


def test_a_list_that_cannot_be_asked_for_stays_as_it_was(room):
    page = room.page()
    say(page, "quote by chat.")
    finished(page)
    listed(page, ["quote by chat."])
    page.route("**/v1/conversations?*", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        looked_at_again(page)
    say(page, "quote and on.")
    finished(page, 2)
    listed(page, ["quote by chat."])


def test_the_view_stays_where_the_reader_is(room):
    page = room.page(viewport={"width": 900, "height": 500})
    say(page, "say 300 words 1")
    finished(page)
    say(page, "say 200 words 15")
    grown(page, 400)
    assert page.evaluate("(s => s.scrollHeight - s.scrollTop - s.clientHeight)(document.querySelector('.scroller'))") < 48
    page.evaluate("document.querySelector('.scroller').scrollTop = 0")
    page.wait_for_timeout(100)
    grown(page, 900)
    assert page.evaluate("document.querySelector('.scroller').scrollTop") == 0
    newer = page.get_by_role("button", name="New messages")
    room.node.call("POST", f"/v1/conversations/{conversation(page)}/messages", {"ref": "x", "text": "from elsewhere."})
    newer.wait_for()
    newer.click()
    page.wait_for_function("() => (s => s.scrollHeight - s.scrollTop - s.clientHeight)(document.querySelector('.scroller')) < 48")
    assert newer.is_hidden()


def test_a_message_that_is_too_long_is_not_sent(room):
    page = room.page()
    say(page, "x" * (16 * 1024 + 1))
    page.get_by_text("This message is too long.").wait_for()
    assert page.locator(".entry").count() == 0


def test_only_the_running_reply_is_touched_for_a_token(room):
    page = room.page()
    say(page, "quote an old reply.")
    finished(page)
    page.evaluate("""() => { window.touched = 0; new MutationObserver(list => { window.touched += list.length; })
        .observe(document.querySelectorAll('.by-assistant')[0], {subtree: true, childList: true, characterData: true, attributes: true}); }""")
    say(page, "say 60 words 10")
    finished(page, 2)
    assert page.evaluate("window.touched") == 0
