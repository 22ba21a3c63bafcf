"""A reply that failed or was cut can be asked for again: by one press, once, under the same question."""

import json

from room import PHONE, check_axe, conversation, finished, grown, reply, say, text, wait_for
from test_failures import spoiled
from test_sources import PRICES, RETURNS
from test_widget import in_widget, open_it, page_with

#: How the first reply ends, with which words, and whether its words stay when it was asked for again.
ENDS = [("failed", "", False), ("completed", " \n", False), ("incomplete", "Half an ans", True), ("filtered", "It is", True), ("filtered", "", False), ("cancelled", "I was", True)]
AGAIN = "Try again"


def failing(room, end="failed", words="", turns=1, **options):
    """A page on which the first replies of a conversation end like this."""
    page = room.page(False, **options)

    def spoil(socket):
        server = socket.connect_to_server()
        server.on_message(lambda data: socket.send(spoiled(data, end, words, None, turns)))

    page.route_web_socket("**/v1/ws", spoil)
    page.goto(room.url + "/")
    return page


def said(room, page):
    return room.node.messages(conversation(page), "contact")


def test_a_reply_that_failed_is_asked_for_again_by_the_keyboard(room):
    for end, words, stays in ENDS:
        page = failing(room, end, words)
        say(page, "quote a good answer.")
        finished(page)
        again = reply(page).get_by_role("button", name=AGAIN)
        again.focus()
        page.keyboard.press("Enter")
        finished(page, 2)
        assert text(page) == "a good answer.", (end, text(page))
        assert page.locator(".by-contact:visible").count() == 1, "the question stands there twice"
        assert page.locator(".by-assistant:visible").count() == (2 if stays else 1), end
        assert page.get_by_role("button", name=AGAIN).count() == 0, "it is offered although there is an answer"
        assert page.evaluate("document.activeElement.getAttribute('role')") == "log", "the keyboard lost its place"
        assert said(room, page) == ["quote a good answer."] * 2
        # The log tells the same to another page; there the reply was never spoiled.
        page.unroute_all(behavior="ignoreErrors")
        other = room.page(page.url, page.context)
        finished(other, 2)
        assert other.locator(".by-contact:visible").count() == 1


def test_two_presses_are_one_wish(room):
    page = failing(room)
    say(page, "quote once.")
    finished(page)
    reply(page).get_by_role("button", name=AGAIN).evaluate("one => { one.click(); one.click(); }")
    finished(page, 2)
    assert said(room, page) == ["quote once."] * 2


def test_it_can_fail_again_and_be_asked_for_again(room):
    page = failing(room, turns=2)
    say(page, "quote at last.")
    finished(page)
    for count in (2, 3):
        page.get_by_role("button", name=AGAIN).click()
        finished(page, count)
        assert said(room, page) == ["quote at last."] * count
        assert page.locator(".by-contact:visible").count() == 1 and page.locator(".by-assistant:visible").count() == 1
    assert text(page) == "at last."


def test_it_is_gone_once_there_is_a_later_turn(room):
    page = failing(room, "incomplete", "Half an ans")
    say(page, "quote one.")
    finished(page)
    again = reply(page, 0).get_by_role("button", name=AGAIN)
    assert again.is_visible()
    say(page, "quote two.")
    finished(page, 2)
    assert again.count() == 0 or not again.is_visible()
    assert page.locator(".by-contact:visible").count() == 2


def test_a_reply_that_somebody_stopped_is_asked_for_again(room):
    page = room.page()
    say(page, "say 300 words 30")
    grown(page, 40)
    page.get_by_role("button", name="Stop the reply").click()
    finished(page)
    assert "Stopped" in reply(page).inner_text()
    reply(page).get_by_role("button", name=AGAIN).click()
    grown(page, 40)
    page.get_by_role("button", name="Stop the reply").click()
    finished(page, 2)
    assert page.locator(".by-contact:visible").count() == 1


def test_it_waits_for_the_line(room):
    page = failing(room)
    say(page, "quote a good answer.")
    finished(page)
    again = reply(page).get_by_role("button", name=AGAIN)
    room.relay.refusing = True
    room.relay.cut()
    page.locator(".notice").get_by_text("The connection is gone").wait_for()
    assert again.is_disabled()
    check_axe(page, "try again, offline")
    room.shot(page, "retry-offline")
    room.relay.refusing = False
    page.get_by_role("button", name="Try now").click()
    wait_for(lambda: page.wait_for_timeout(20) or again.is_enabled(), "the line")
    again.click()
    finished(page, 2)
    assert text(page) == "a good answer."


def test_it_speaks_the_languages_of_the_chat(room):
    for locale, name in (("es-ES", "Intentar de nuevo"), ("de-DE", "Noch einmal versuchen")):
        page = failing(room, locale=locale)
        say(page, "quote a good answer.")
        finished(page)
        reply(page).get_by_role("button", name=name).click()
        finished(page, 2)
        assert text(page) == "a good answer."


def test_words_of_somebody_else_are_not_hidden(room):
    """Only what is said again in the same words, by the same person, is left out; and never for an agent."""
    page = room.page()
    say(page, "quote hello.")
    finished(page)
    path = f"/v1/conversations/{conversation(page)}"
    first = next(event["seq"] for event in room.node.events(conversation(page)) if event["type"] == "message")
    for number, (ref, words) in enumerate([(f"again.{first}.a", "quote other words."), ("again.99.b", "quote hello."), (f"again.{first + 2}.c", "quote hello.")], 2):
        room.node.call("POST", f"{path}/messages", {"ref": ref, "text": words})
        finished(page, number)
    assert page.locator(".by-contact:visible").count() == 4


def test_the_widget_does_the_same(room):
    room.shop.page = page_with(room)
    room.node.allow(room.shop.url, *room.own())
    page = room.page(False, **PHONE, color_scheme="dark")

    def told(data):
        frame = json.loads(spoiled(data, "failed", "", None))
        if frame.get("event", {}).get("turn") == 2 and frame["event"]["type"] == "message":
            frame["event"]["made"] |= {"passages": [RETURNS, PRICES]}
        return json.dumps(frame)

    def spoil(socket):
        server = socket.connect_to_server()
        server.on_message(lambda data: socket.send(told(data)))

    # Before there is a client, which keeps the kind of socket that it was made with.
    page.route_web_socket("**/v1/ws*", spoil)
    page.goto(room.shop.url + "/")
    page.locator(".launcher").wait_for()
    open_it(page)
    say(page, "quote You have thirty days [1].")
    again = page.get_by_role("button", name=AGAIN)
    again.wait_for()
    room.shot(page, "widget-retry")
    again.press("Enter")
    page.get_by_role("link", name="Returns").wait_for()
    assert page.locator(".by-contact:visible").count() == 1 and page.locator(".source").count() == 1
    page.get_by_role("button", name="Source 1: Returns").press("Enter")
    page.locator("blockquote", has_text="thirty days").wait_for()
    assert in_widget(page, "root.activeElement.ariaExpanded") == "true"
    room.shot(page, "widget-sources")
