"""A conversation open on the studio's desk while others change it: whom it is with, whose words it has, whether it is closed."""

from room import conversation, finished, say
from test_studio import studio, toast, visitor
from test_studio_desk import ARABIC, known
from test_widget import in_widget, is_finished, open_it, say_in, visit

#: A sign of typing ends by itself after six seconds; who is gone is gone sooner.
GONE_MS = 3_000
CLOSED = "Closed; the assistant answers when the customer writes again"


def signed_as(room, name, conversation):
    page = studio(room, f"conversations/{conversation}")
    page.evaluate("name => localStorage.setItem('tertulia.studio.agent', name)", name)
    page.reload()
    page.locator(".desk .by-contact").first.wait_for()
    return page


def contact(room, name):
    [found] = room.node.call("GET", f"/v1/contacts?identity=external:{name}")["contacts"]
    return found


def called(page, name):
    """The heading, the list and the words themselves all say it."""
    page.locator(".desk h1", has_text=name).wait_for()
    page.locator(".row-who", has_text=name).first.wait_for()
    page.wait_for_function("name => [...document.querySelectorAll('.desk .by-contact .name')].every(one => one.textContent === name)", arg=name)


def test_an_open_conversation_follows_names_merges_and_splits(room):
    talk = visitor(room, "olga-1", "quote hello")
    visitor(room, "olga-2", "quote hello")
    known(room, "olga-1", name="Olga One")
    known(room, "olga-2", name="Olga Two")
    page = studio(room, f"conversations/{talk}")
    called(page, "Olga One")
    one, two = contact(room, "olga-1"), contact(room, "olga-2")
    room.node.call("POST", f"/v1/contacts/{two['id']}/merge", {"other": one["id"]})
    called(page, "Olga Two")
    room.node.call("POST", f"/v1/contacts/{two['id']}/split", {"contact": one["id"]})
    called(page, "Olga One")
    known(room, "olga-1", name="Olga Anew")
    called(page, "Olga Anew")
    room.shot(page, "studio-renamed")


def test_a_closed_conversation_says_who_answers_next_to_all_who_see_it(room):
    talk = visitor(room, "paula", "quote hello")
    marta, ines = signed_as(room, "Marta", talk), signed_as(room, "Ines", talk)
    marta.get_by_role("button", name="Take over").click()
    marta.get_by_text("You answer; the assistant is silent").wait_for()
    ines.get_by_text("Marta answers; the assistant is silent").wait_for()
    marta.get_by_role("button", name="Close", exact=True).click()
    toast(marta, "Closed. When the customer writes again, the assistant answers.")
    for page in (marta, ines):
        page.locator(".desk .stand", has_text=CLOSED).wait_for()
        assert "is silent" not in page.locator(".desk-open").inner_text()
    marta.get_by_text("Write to open it again and go on yourself.").wait_for()
    ines.get_by_text("This conversation is closed. Take over to write to the customer.").wait_for()
    room.shot(marta, "studio-closed")
    room.shot(ines, "studio-closed-colleague")
    # What it says is what comes of it.
    room.node.call("POST", f"/v1/conversations/{talk}/messages", {"ref": "back", "text": "quote again"})
    for page in (marta, ines):
        page.locator(".desk .stand", has_text="The assistant answers").wait_for()
        page.locator(".by-assistant.done", has_text="again").wait_for()


def test_who_has_gone_types_no_more(room):
    """Neither who closed the conversation nor who is gone with their browser or their token."""
    page = room.page()
    say(page, "quote hello")
    finished(page)
    talk = conversation(page)
    typing = page.get_by_text("Zoe is typing")

    def desk():
        other = studio(room, f"conversations/{talk}")
        other.evaluate("localStorage.setItem('tertulia.studio.agent', 'Zoe')")
        other.reload()
        if other.get_by_role("button", name="Take over").or_(other.locator(".desk textarea")).inner_text() == "Take over":
            other.get_by_role("button", name="Take over").click()
        other.locator(".desk textarea").press_sequentially("I am")
        typing.wait_for()
        return other

    other = desk()
    other.close()
    typing.wait_for(state="hidden", timeout=GONE_MS)
    other = desk()
    other.get_by_role("button", name="Close", exact=True).click()
    page.get_by_text("The conversation has ended").wait_for()
    assert typing.is_hidden()


def test_who_of_the_team_wrote_what_is_seen(room):
    talk = visitor(room, "quentin", "quote hello")
    for agent in ("Ines", ARABIC, "Marta"):
        room.node.call("POST", f"/v1/conversations/{talk}/human", {"action": "take", "agent": agent})
        room.node.call("POST", f"/v1/conversations/{talk}/messages", {"ref": agent, "agent": agent, "text": f"From {agent}."})
    page = signed_as(room, "Marta", talk)
    said = page.locator(".desk .by-human")
    page.wait_for_function("() => document.querySelectorAll('.desk .by-human').length === 3")
    room.shot(page, "studio-colleagues")
    seen = "one => [one.classList.contains('own'), one.querySelector('.name').textContent, getComputedStyle(one.querySelector('.name')).clipPath === 'none']"
    assert [one.evaluate(seen) for one in said.all()] == [[False, "Ines", True], [False, ARABIC, True], [True, "Marta", False]]
    # With the key and no name yet all are others; a name that is typed makes its words one's own.
    page.evaluate("localStorage.removeItem('tertulia.studio.agent')")
    page.reload()
    page.wait_for_function("() => document.querySelectorAll('.desk .by-human').length === 3")
    assert page.locator(".desk .by-human.own").count() == 0
    page.get_by_role("button", name="Take over").click()
    page.get_by_label("Your name").fill("Ines")
    page.keyboard.press("Enter")
    page.locator(".desk .by-human.own", has_text="From Ines.").wait_for()
    say(page, "Ines again.")
    page.locator(".by-human.own.sent", has_text="Ines again.").wait_for()
    assert page.locator(".desk .by-human.own").count() == 2


def test_an_erased_reply_is_in_nobodys_page_any_more(room):
    room.expected.append("404")
    chat = room.page()
    say(chat, "quote canary")
    finished(chat)
    talk = conversation(chat)
    desk = studio(room, f"conversations/{talk}")
    desk.locator(".by-assistant.done", has_text="canary").wait_for()
    say(chat, "quote the second canary")
    for page in (chat, desk):
        page.locator(".thread > .unseen", has_text="the second canary").wait_for(state="attached")
    widget = visit(room)
    open_it(widget)
    say_in(widget, "quote a third canary")
    is_finished(widget)
    widget.locator(".thread > .unseen", has_text="a third canary").wait_for(state="attached")
    listed = room.node.call("GET", "/v1/conversations")["conversations"]
    for one in {talk, listed[0]["id"]}:
        room.node.call("DELETE", f"/v1/conversations/{one}")
    desk.get_by_text("This conversation was erased. Nothing of it is kept.").wait_for()
    assert "canary" not in desk.locator(".desk").evaluate("one => one.textContent")
    chat.get_by_text("This conversation is no longer available.").wait_for()
    widget.get_by_text("This conversation is no longer available.").wait_for()
    room.shot(chat, "chat-erased")
    chat.wait_for_function("() => !document.body.textContent.includes('canary')")
    assert "canary" not in in_widget(widget, "root.querySelector('dialog').textContent")
