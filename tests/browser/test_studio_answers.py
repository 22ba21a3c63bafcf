"""How the studio shows questions without an answer and the team's own answers, and what its form takes."""

import datetime
import json
import re

from room import DESKTOP, PHONE, check_axe, wait_for
from test_studio import studio

LOOKS = [("desktop-light", DESKTOP), ("desktop-dark", DESKTOP | {"color_scheme": "dark"}), ("phone-light", PHONE), ("phone-dark", PHONE | {"color_scheme": "dark"})]
HOSTILE = "<img src=x onerror=window.ran=1> [a](javascript:window.ran=1)"


def before(**ago):
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**ago)).isoformat()


def asked(key, question, count=1, wrong=False, places=1, **ago):
    told = {"key": key, "question": question, "count": count, "last_at": before(**ago), "conversations": [{"id": f"conv_{n:032x}", "seq": 4} for n in range(places)]}
    return told | ({"wrong": True} if wrong else {})


def questions():
    """As a node would give them now: the tests before this one may have taken a while."""
    return [
        asked("k1", "Do you deliver to the Azores, and what does it cost?", 3, places=3, minutes=4),
        asked("k2", "Can I bring my dog?", wrong=True, hours=3),
        asked("k3", "Is the café accessible for wheelchairs, and is there a lift to the first floor where the courses are held on Saturdays?", 12, places=10, days=1),
        asked("k4", HOSTILE, 2, places=2, days=3),
    ]


ANSWERS = [
    {"id": "dogs", "questions": ["Can I bring my dog?", "Are dogs allowed?", "Do you take pets?"], "answer": "Yes, dogs are welcome downstairs and on the terrace.\nPlease keep them on a lead.", "updated_at": before(days=1)},
    {"id": "azores", "questions": ["Do you deliver to the Azores?"], "answer": "Yes, by post in **five to eight** working days, for 14.90 €.", "updated_at": before(days=9)},
    {"id": "hostile", "questions": [HOSTILE], "answer": HOSTILE, "updated_at": before(days=20)},
]


def told(page, listed, answers):
    """The lists that a node would give, so that their look does not hang on what other tests have asked."""
    page.route(re.compile(r"/v1/unanswered(\?|$)"), lambda route: route.fulfill(json={"questions": listed}))
    page.route(re.compile(r"/v1/answers(\?|$)"), lambda route: route.fulfill(json={"answers": answers}))


def part(room, name, listed=None, answers=ANSWERS, **options):
    page = studio(room, "website", **options)
    told(page, questions() if listed is None else listed, answers)
    page.goto(f"{room.url}/studio#/{name}")
    page.get_by_role("heading", name="Answers", level=1).wait_for()
    return page


def test_the_lists_look_as_they_should(room):
    for name, options in LOOKS:
        page = part(room, "answers", reduced_motion="reduce", **options)
        page.locator(".question").nth(3).wait_for()
        facts = page.locator(".question").first.inner_text()
        assert "Asked 3 times" in facts and "4 min. ago" in facts and "See the conversation" in facts, facts
        assert "answered wrongly" in page.locator(".question").nth(1).inner_text()
        check_axe(page, f"questions {name}")
        room.shot(page, f"answers-{name}-1-questions")
        page.get_by_role("button", name="Answer it now: Can I bring my dog?").click()
        page.get_by_role("dialog").wait_for()
        check_axe(page, f"answering {name}")
        room.shot(page, f"answers-{name}-2-form")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("link", name="Your own answers").click()
        page.locator(".own-answer").nth(2).wait_for()
        check_axe(page, f"own answers {name}")
        room.shot(page, f"answers-{name}-3-own")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("window.ran ?? null") is None and page.locator("#page img, #page a[href^=javascript]").count() == 0


def test_nothing_open_and_nothing_typed_say_so(room):
    page = part(room, "answers", [], [])
    page.get_by_text("Nothing is open").wait_for()
    check_axe(page, "no questions")
    room.shot(page, "answers-empty-questions")
    page.get_by_role("link", name="Your own answers").click()
    page.get_by_text("No answers of your own yet").wait_for()
    check_axe(page, "no answers")
    room.shot(page, "answers-empty-own")


def test_what_cannot_be_saved_says_why_and_keeps_what_was_typed(room):
    room.expected += ["422", "503", "400"]
    page = part(room, "answers/own")
    page.get_by_role("button", name="Write an answer").click()
    form = page.get_by_role("dialog", name="Answer it yourself")
    save = form.get_by_role("button", name="Save")
    questions, answer = form.get_by_label("Questions"), form.get_by_label("Answer", exact=True)
    for typed, said, complaint in [
        ("", "", "Enter at least one question."), ("a?\n" * 11, "x", "At most 10 questions."), ("é" * 301, "x", "A question has at most 300 characters."),
        ("One?\n\n  Two?  ", " ", "Enter the answer."), ("One?", "é" * 4100, "This is 8 bytes too long."),
    ]:
        questions.fill(typed)
        answer.fill(said)
        save.click()
        form.get_by_text(complaint).wait_for()
    sent = []

    def refuse(route):
        sent.append((route.request.url, json.loads(route.request.post_data)))
        route.fulfill(status=503, json={"error": {"code": "store_unavailable", "message": "the store is away"}})

    page.route(re.compile(r"/v1/answers/"), refuse)
    questions.fill("One?\n\n  Two?  ")
    answer.fill("  Both.  ")
    save.click()
    form.get_by_text("That did not work: the store is away.").wait_for()
    assert answer.input_value() == "  Both.  "
    save.click()
    wait_for(lambda: page.wait_for_timeout(20) or len(sent) == 2, "the second attempt")
    assert sent[0] == sent[1] and sent[0][1] == {"questions": ["One?", "Two?"], "answer": "Both."}, sent
    assert re.search(r"/v1/answers/[a-z0-9-]{1,64}$", sent[0][0]), sent[0][0]
    # A click beside it does not throw away what was typed.
    page.mouse.click(5, 5)
    assert form.is_visible()
    page.keyboard.press("Escape")
    form.wait_for(state="detached")


def test_older_questions_come_on_request_and_stay(room):
    listed = [asked(f"k{n}", f"Question {n:02}?", minutes=n + 1) for n in range(40)]
    times = {one["key"]: one["last_at"] for one in listed}

    def page_of(route):
        after = re.search(r"after=(\w+)", route.request.url)
        rest = [one for one in listed if not after or one["last_at"] < times[after[1]]]
        route.fulfill(json={"questions": rest[:30]} | ({"next": rest[29]["key"]} if len(rest) > 30 else {}))

    page = part(room, "answers/own")
    page.route(re.compile(r"/v1/unanswered(\?|$)"), page_of)
    page.get_by_role("link", name="Questions without an answer").click()
    page.locator(".question").nth(29).wait_for()
    page.get_by_role("button", name="Show older ones").click()
    page.locator(".question").nth(39).wait_for()
    assert page.evaluate("document.activeElement.closest('li').dataset.key") == "k30"
    # A new one comes, one of the newest is gone: the next look at the list tells.
    listed.insert(0, asked("new", "Question 99?", seconds=1))
    listed.remove(next(one for one in listed if one["key"] == "k3"))
    page.get_by_text("Question 99?").wait_for()
    order = page.locator(".question").evaluate_all("all => all.map(one => one.dataset.key)")
    assert order == ["new", *(f"k{n}" for n in range(40) if n != 3)], order
    assert page.evaluate("document.activeElement.closest('li').dataset.key") == "k30", "the keyboard lost its place"
