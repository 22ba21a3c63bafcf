"""A team makes its assistant better: it answers what was not known, says what was wrong, and is called when a person is wanted.

The node answers by itself here, from documents: what it knows and does not know is the real thing.
"""

import re
from contextlib import contextmanager

from node import KEY
from room import PHONE, check_axe, conversation, finished, reply, say, wait_for

QUESTION = "Do you deliver to the Azores?"
LIKE = "do you deliver to the azores"
ANSWER = "Yes, to the Azores by post in eight working days, for 14.90 €."
BICYCLES = "# Bicycles\n\nBicycles are parked behind the shop, in the yard."
PARKED = "Where are bicycles parked?"


class Team:
    """A node without a model, visitors on its chat page and the owner in its studio."""

    def __init__(self, room, node, url):
        self.room, self.node, self.url = room, node, url
        node.call("POST", "/v1/knowledge", {"source": "docs/bicycles.md", "text": BICYCLES})

    def visitor(self, words):
        page = self.room.page(self.url + "/")
        say(page, words)
        finished(page)
        return page

    def studio(self, page="answers", **options):
        context = self.room.context(**options)
        context.add_init_script(f"sessionStorage.setItem('tertulia.studio.key', '{KEY}')")
        shown = self.room.page(f"{self.url}/studio#/{page}", context)
        shown.locator("#page[data-page]").wait_for()
        return shown

    def questions(self):
        return self.node.call("GET", "/v1/unanswered")["questions"]


@contextmanager
def team(room):
    with room.own_node(TERTULIA_MODEL="builtin") as (node, url):
        yield Team(room, node, url)


def question(page, words):
    row = page.locator(".question", has_text=words)
    row.wait_for()
    return row


def test_a_question_without_an_answer_is_answered_once_and_for_all(room):
    with team(room) as it:
        first = it.visitor(QUESTION)
        studio = it.studio()
        row = question(studio, QUESTION)
        assert "Asked once" in row.inner_text() and "now" in row.inner_text(), row.inner_text()
        it.visitor(LIKE)
        # The list goes along while it is looked at, and like questions are one.
        studio.get_by_text("Asked twice").wait_for()
        assert studio.locator(".question").count() == 1
        check_axe(studio, "a real question")
        row = studio.locator(".question")

        row.get_by_role("link", name=re.compile("^Conversation 2")).click()
        studio.locator(".led", has_text=reply(first).locator(".body").inner_text()).wait_for()
        assert conversation(first) in studio.url
        reply(studio).get_by_text("It did not know all of this.").wait_for()
        room.shot(studio, "improve-led")
        studio.go_back()

        studio.get_by_role("button", name="Answer it now").click()
        form = studio.get_by_role("dialog", name="Answer it yourself")
        assert form.get_by_label("Questions").input_value().lower().startswith(LIKE)
        assert studio.evaluate("document.activeElement.name") == "answer", "the keyboard is not where one goes on"
        form.get_by_label("Questions").fill(f"{QUESTION}\nDo you ship to the Azores?")
        form.get_by_label("Answer", exact=True).fill(ANSWER)
        form.get_by_role("button", name="Save").click()
        studio.locator(".toast").get_by_text("Saved.").wait_for()
        studio.get_by_text("Nothing is open").wait_for()
        assert it.questions() == []

        # The next one who asks is answered with it; it is the business's own, and leads nowhere.
        asker = it.visitor(QUESTION)
        assert "14.90 €" in reply(asker).inner_text(), reply(asker).inner_text()
        source = reply(asker).locator(".source")
        source.get_by_text("Our own answer").wait_for()
        assert source.locator("a").count() == 0 and "answer:" not in reply(asker).inner_text()
        room.shot(asker, "improve-own-answer")

        studio.get_by_role("link", name="Your own answers").click()
        mine = studio.locator(".own-answer")
        mine.get_by_text("Also: Do you ship to the Azores?").wait_for()
        mine.get_by_role("button", name=re.compile("^Change")).click()
        form = studio.get_by_role("dialog", name="Change this answer")
        form.get_by_label("Answer", exact=True).fill("No, not any more.")
        form.get_by_role("button", name="Save").click()
        mine.get_by_text("No, not any more.").wait_for()
        assert [one["answer"] for one in it.node.call("GET", "/v1/answers")["answers"]] == ["No, not any more."]

        mine.get_by_role("button", name=re.compile("^Delete")).click()
        studio.get_by_role("dialog").get_by_role("button", name="Delete").click()
        studio.get_by_text("No answers of your own yet").wait_for()
        assert it.node.call("GET", "/v1/answers")["answers"] == []
        studio.get_by_role("button", name="Undo").click()
        mine.get_by_text("No, not any more.").wait_for()
        assert it.node.call("GET", "/v1/knowledge")["documents"] and not [one for one in it.node.call("GET", "/v1/knowledge")["documents"] if one["source"].startswith("answer:")]


def test_a_question_is_dismissed_and_comes_back_when_it_is_asked_again(room):
    with team(room) as it:
        it.visitor(QUESTION)
        studio = it.studio()
        question(studio, QUESTION).get_by_role("button", name=re.compile("^Dismiss")).click()
        studio.locator(".toast").get_by_text("Dismissed.").wait_for()
        studio.get_by_text("Nothing is open").wait_for()
        assert it.questions() == [] and studio.evaluate("document.activeElement.tagName") == "H1", "the keyboard lost its place"
        it.visitor(QUESTION)
        question(studio, QUESTION)


def test_a_wrong_reply_is_marked_and_the_mark_taken_back(room):
    with team(room) as it:
        asker = it.visitor(PARKED)
        assert "in the yard" in reply(asker).inner_text(), reply(asker).inner_text()
        talk = conversation(asker)
        desk = it.studio(f"conversations/{talk}")
        finished(desk)
        reply(desk).get_by_role("button", name="This was wrong").click()
        dialog = desk.get_by_role("dialog", name="What was wrong?")
        dialog.get_by_label("Note").fill("In front of it since March.")
        dialog.get_by_role("button", name="This was wrong").click()
        told = "You said that this was wrong: In front of it since March."
        reply(desk).get_by_text(told).wait_for()
        check_axe(desk, "a wrong reply")
        desk.reload()
        reply(desk).get_by_text(told).wait_for()
        room.shot(desk, "improve-wrong")
        row = question(it.studio(), PARKED)
        assert "answered wrongly" in row.inner_text()
        # The contact is not told.
        asker.reload()
        finished(asker)
        assert "wrong" not in asker.locator(".entries").inner_text()

        reply(desk).get_by_role("button", name="It was right").click()
        reply(desk).get_by_role("button", name="This was wrong").wait_for()
        wait_for(lambda: it.questions() == [], "the list without it")
        desk.reload()
        finished(desk)
        reply(desk).get_by_role("button", name="This was wrong").wait_for()
        assert not reply(desk).get_by_text(told).is_visible()


WANTS = [("I want to speak to a person, please.", "wants a person", "Asks for a person"), ("This is a disgrace, I want to complain!", "complains", "Complains")]


def test_who_wants_a_person_is_seen_until_one_has_answered(room):
    with team(room) as it:
        for words, badge, stand in WANTS:
            asker = it.visitor(words)
            talk = conversation(asker)
            for options in ({}, PHONE):
                shown = it.studio("conversations", **options)
                row = shown.locator(f".row[href*='{talk}']")
                row.locator(".badge.wanted", has_text=badge).wait_for()
                check_axe(shown, f"{badge} in the list")
                room.shot(shown, f"improve-{badge.replace(' ', '-')}-{'phone' if options else 'desktop'}")
            desk = it.studio(f"conversations/{talk}")
            desk.locator(".stand", has_text=stand).wait_for()
            check_axe(desk, badge)
            room.shot(desk, f"improve-{badge.replace(' ', '-')}-desk")
            path = f"/v1/conversations/{talk}"
            it.node.call("POST", f"{path}/human", {"action": "take", "agent": "Marta"})
            it.node.call("POST", f"{path}/messages", {"ref": "m", "text": "Hello, this is Marta.", "agent": "Marta"})
            it.node.call("POST", f"{path}/human", {"action": "hand_back", "agent": "Marta"})
            desk.locator(".stand", has_text="The assistant answers").wait_for()
            desk.locator(f".row[href*='{talk}'] .badge.wanted").wait_for(state="detached")


def test_who_is_not_told_an_answer_gets_to_a_person_by_one_press(room):
    with team(room) as it:
        page = it.visitor(QUESTION)
        person = reply(page).get_by_role("button", name="Talk to a person")
        person.focus()
        page.keyboard.press("Enter")
        finished(page, 2)
        wait_for(lambda: it.node.call("GET", f"/v1/conversations/{conversation(page)}").get("handoff") == "asked", "the hand-off")
        assert page.get_by_role("button", name="Talk to a person").count() == 0, "it is offered although a person was called"
        assert page.evaluate("document.activeElement.getAttribute('role')") == "log", "the keyboard lost its place"
        check_axe(page, "a person by one press")
