"""The studio's desk: whom a conversation is with, who has it, what becomes of it; for owners and for agents."""

import re

from node import KEY
from room import say, wait_for
from test_improve import team
from test_studio import studio, visitor

#: The narrowest phone there is.
NARROW = {"viewport": {"width": 320, "height": 640}, "is_mobile": True, "has_touch": True}
WANTED = "I want to speak to a person, please."
HEBREW, ARABIC = "\u05e9\u05e8\u05d4 \u05db\u05d4\u05df", "\u0644\u064a\u0644\u0649"


def known(room, contact, **record):
    """A contact of whom something is known."""
    [found] = room.node.call("GET", f"/v1/contacts?identity=external:{contact}")["contacts"]
    return room.node.call("PATCH", f"/v1/contacts/{found['id']}", {"version": found["version"], **record})


def box(locator):
    return locator.evaluate("element => { const range = document.createRange(); range.selectNodeContents(element); const {left, right, top, bottom} = range.getBoundingClientRect(); return {left, right, top, bottom}; }")


def test_a_name_stays_readable_beside_its_badges(room):
    with team(room) as it:
        conversation = it.node.call("POST", "/v1/conversations", {"contact": "gudrun.lindqvist@shop"})["id"]
        unbroken = it.node.call("POST", "/v1/conversations", {"contact": "x" * 34})["id"]
        it.node.call("POST", f"/v1/conversations/{unbroken}/messages", {"ref": "1", "text": "Hello!"})
        it.node.call("POST", f"/v1/conversations/{conversation}/messages", {"ref": "1", "text": WANTED})
        wait_for(lambda: it.node.call("GET", f"/v1/conversations/{conversation}").get("handoff") == "asked", "the wish for a person")
        agents = it.node.call("POST", "/v1/conversations", {"contact": "hannelore"})["id"]
        it.node.call("POST", f"/v1/conversations/{agents}/messages", {"ref": "1", "text": "Hello!"})
        it.node.call("POST", f"/v1/conversations/{agents}/human", {"action": "take", "agent": "Maximiliane von der Grafschaft zu Hohenlohe-Langenburg"})
        names_stay(room, it.studio("conversations", **NARROW))


def names_stay(room, page):
    row = page.locator(".row", has_text="gudrun.lindqvist@shop")
    row.locator(".badge", has_text="wants a person").wait_for()
    page.locator(".row", has_text="hannelore").locator(".badge", has_text="Maximiliane").wait_for()
    room.shot(page, "studio-badges-320")
    for row in page.locator(".row").all():
        name = row.locator(".row-who")
        assert name.evaluate("one => one.scrollWidth <= one.clientWidth && one.scrollHeight <= one.clientHeight + 1"), name.inner_text()
        for badge in row.locator(".badge").all():
            edges = badge.evaluate("one => [one.getBoundingClientRect().left, one.getBoundingClientRect().right]")
            assert edges[0] >= 0 and edges[1] <= 320, (badge.inner_text(), edges)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    # The dot of what happens now stands beside the name's first line, also where the name cannot be broken before it.
    long = page.locator(".row.live .row-who", has_text="xxxx")
    first = long.evaluate("one => { const range = document.createRange(); range.selectNodeContents(one); return range.getClientRects()[0].top - one.getBoundingClientRect().top; }")
    assert first < 6, first


def test_an_erased_conversation_is_explained_and_its_words_are_gone(room):
    room.expected.append("404")
    conversation = visitor(room, "ilse", "quote canary")
    page = studio(room, f"conversations/{conversation}")
    page.evaluate("localStorage.setItem('tertulia.studio.agent', 'Marta')")
    page.get_by_role("button", name="Take over").click()
    page.get_by_text("You answer; the assistant is silent").wait_for()
    page.locator("textarea").fill("half a word")
    page.locator(".desk .by-contact", has_text="canary").wait_for()
    room.node.call("DELETE", f"/v1/conversations/{conversation}")
    page.get_by_text("This conversation was erased. Nothing of it is kept.").wait_for()
    room.shot(page, "studio-erased")
    desk = page.locator(".desk")
    assert "canary" not in desk.inner_text() and desk.locator("textarea").count() == 0
    assert desk.get_by_role("button").count() == 0, "there is nothing left to do with it"
    assert page.get_by_text("Connection lost").count() == 0
    page.locator(".row", has_text="ilse").wait_for(state="detached")
    assert "half a word" not in page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")


def test_names_and_words_lie_in_their_own_direction(room):
    conversation = visitor(room, "jael", "\u05de\u05d4 \u05e9\u05e2\u05d5\u05ea \u05d4\u05e4\u05ea\u05d9\u05d7\u05d4?")
    known(room, "jael", name=HEBREW)
    room.node.call("POST", f"/v1/conversations/{conversation}/human", {"action": "take", "agent": ARABIC})
    room.node.call("POST", f"/v1/conversations/{conversation}/messages", {"ref": "z", "agent": ARABIC, "text": "\u05e9\u05dc\u05d5\u05dd, \u05d1\u05d5\u05e7\u05e8 \u05d8\u05d5\u05d1 (10:00)!"})
    page = studio(room, f"conversations/{conversation}")
    page.get_by_text("answers; the assistant is silent").wait_for()
    row = page.locator(".row", has_text=HEBREW)
    row.locator(".row-words").wait_for()
    room.shot(page, "studio-right-to-left")
    direction = "one => getComputedStyle(one).direction"
    assert [one.evaluate(direction) for one in (row.locator(".row-who"), row.locator(".row-words"), page.locator(".desk h1"))] == ["rtl"] * 3
    assert row.locator(".row-said").evaluate(direction) == "ltr"
    words = row.locator(".row-words")
    assert words.evaluate("one => one.getBoundingClientRect().right") - box(words)["right"] < 1, "the words begin at the right"
    # So does the log, for who came and went.
    joined = page.locator(".desk .body", has_text="has joined the conversation")
    assert joined.evaluate(direction) == "ltr"
    stand = page.locator(".desk .stand")
    assert stand.evaluate(direction) == "ltr"
    assert box(stand.locator("bdi"))["left"] <= box(stand)["left"] + 1, "the sentence begins with the name"


def test_a_contact_is_called_by_their_name_where_it_is_known(room):
    conversation = visitor(room, "kunde-4711", "quote hello")
    page = studio(room, f"conversations/{conversation}")
    page.get_by_role("heading", name="kunde-4711").wait_for()
    known(room, "kunde-4711", name="Karla Kowalski")
    page.locator(".row-who", has_text="Karla Kowalski").wait_for()
    page.get_by_role("heading", name="Karla Kowalski").wait_for()
    page.locator(".by-contact .name", has_text="Karla Kowalski").first.wait_for(state="attached")
    page.reload()
    page.get_by_role("heading", name="Karla Kowalski").wait_for()
    page.locator(".by-contact .name", has_text="Karla Kowalski").first.wait_for(state="attached")


def test_a_colleague_takes_a_conversation_from_another(room):
    conversation = visitor(room, "lotte", "quote hello")
    room.node.call("POST", f"/v1/conversations/{conversation}/human", {"action": "take", "agent": "Ines"})
    page = studio(room, f"conversations/{conversation}")
    page.evaluate("localStorage.setItem('tertulia.studio.agent', 'Marta')")
    page.get_by_text("Ines answers; the assistant is silent").wait_for()
    assert page.locator("textarea").count() == 0
    page.get_by_role("button", name="Take over").click()
    page.get_by_text("You answer; the assistant is silent").wait_for()
    say(page, "Marta now.")
    page.locator(".by-human.sent", has_text="Marta now.").wait_for()
    facts = [(event["type"], event["agent"]) for event in room.node.events(conversation) if event.get("agent")]
    assert facts == [("taken_over", "Ines"), ("taken_over", "Marta"), ("message", "Marta")], facts


def test_an_agent_signs_in_with_a_token_and_sees_the_conversations_alone(room):
    room.expected.append("401")
    conversation = visitor(room, "mona", "quote hello")
    known(room, "mona", name="Mona Moser")
    token = room.node.call("POST", "/v1/agents", {"agent": "Zoe"})["token"]
    page = room.page(room.url + f"/studio#/conversations/{conversation}")
    page.get_by_label("API key or agent’s token").fill(token[:-6] + "AAAAAA")
    page.keyboard.press("Enter")
    page.get_by_text("This token is not valid").wait_for()
    page.get_by_label("API key or agent’s token").fill(token)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Mona Moser").wait_for()
    assert page.locator("nav.rail a").all_inner_texts() == ["Conversations"]
    page.locator(".tenant", has_text="Zoe").wait_for()
    room.shot(page, "studio-agent")
    page.get_by_role("button", name="Take over").click()
    # Nobody is asked for a name: the token has it.
    page.get_by_text("You answer; the assistant is silent").wait_for()
    say(page, "Zoe here.")
    page.locator(".by-human.sent", has_text="Zoe here.").wait_for()
    page.reload()
    page.get_by_text("You answer; the assistant is silent").wait_for()
    assert page.locator(".verdict").count() == 0, "who judges is the owner"
    page.evaluate("location.hash = '#/assistant'")
    page.get_by_role("heading", name="Conversations", level=1).wait_for()
    page.evaluate(f"location.hash = '#/conversations/{conversation}'")
    page.get_by_role("button", name="Hand back").click()
    page.locator(".desk .stand", has_text="The assistant answers").wait_for()
    said = [(event["type"], event["agent"]) for event in room.node.events(conversation) if event.get("agent")]
    assert said == [("taken_over", "Zoe"), ("message", "Zoe"), ("handed_back", "Zoe")], said
    # Her tokens are ended: she is led to the door, and told.
    room.node.call("DELETE", "/v1/agents?agent=Zoe")
    page.get_by_text("Your token has ended.").wait_for()
    stored = page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")
    assert token not in stored and not re.search("v4\\.local", stored) and KEY not in stored
