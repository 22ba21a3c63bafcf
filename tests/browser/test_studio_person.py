"""What a person has written in the studio is theirs: it outlives the end of their key or token, and nobody else is shown it."""

from node import KEY
from room import say, wait_for
from test_studio import toast, visitor

WORDS = "Written on the train."


def token(room, agent):
    return room.node.call("POST", "/v1/agents", {"agent": agent})["token"]


def ended(room, page, agent):
    room.node.call("DELETE", f"/v1/agents?agent={agent}")
    page.get_by_text("Your token has ended.").wait_for()


def sign_in(page, credential):
    page.get_by_label("API key or agent’s token").fill(credential)
    page.keyboard.press("Enter")
    page.locator("#page[data-page]").wait_for()


def at_the_desk(room, agent, contact):
    """An agent's page, with a conversation that they have."""
    room.expected.append("401")
    talk = visitor(room, contact, "quote hello")
    page = room.page(f"{room.url}/studio#/conversations/{talk}")
    sign_in(page, token(room, agent))
    take(page)
    return page, talk


def take(page):
    page.get_by_role("button", name="Take over").click()
    page.get_by_text("You answer; the assistant is silent").wait_for()


def written_offline(room, page, agent, words=WORDS):
    """Something that waits for the line when the writer's token ends."""
    page.context.set_offline(True)
    page.get_by_text("You are offline").wait_for()
    say(page, words)
    page.locator(".by-human.sending").wait_for()
    room.node.call("DELETE", f"/v1/agents?agent={agent}")
    page.context.set_offline(False)
    page.get_by_text("Your token has ended.").wait_for()


def test_words_that_wait_are_sent_when_the_same_agent_is_back(room):
    page, talk = at_the_desk(room, "Zoe", "berta")
    written_offline(room, page, "Zoe")
    sign_in(page, token(room, "Zoe"))
    page.locator(".by-human.sent", has_text=WORDS).wait_for()
    assert room.node.messages(talk, "human") == [WORDS]
    # Also where the tab was loaded anew at the door, and another page is open when they are back.
    written_offline(room, page, "Zoe", "And in the tunnel.")
    page.evaluate("location.hash = '#/conversations'")
    page.reload()
    sign_in(page, token(room, "Zoe"))
    wait_for(lambda: page.wait_for_timeout(50) or room.node.messages(talk, "human") == [WORDS, "And in the tunnel."], "the message")
    wait_for(lambda: page.wait_for_timeout(50) or "tunnel" not in page.evaluate("JSON.stringify({...sessionStorage})"), "its end in the storage")


def test_words_that_cannot_be_sent_any_more_are_shown_to_who_wrote_them(room):
    page, talk = at_the_desk(room, "Zoe", "carla")
    written_offline(room, page, "Zoe")
    room.node.call("POST", f"/v1/conversations/{talk}/human", {"action": "take", "agent": "Ines"})
    page.evaluate("location.hash = '#/conversations'")
    sign_in(page, token(room, "Zoe"))
    page.locator(".toast.bad", has_text=f"Not sent: “{WORDS}”").wait_for()
    assert room.node.messages(talk, "human") == []
    # Where the conversation is open it is said at the words, with the way to try again.
    page.evaluate(f"location.hash = '#/conversations/{talk}'")
    take(page)
    written_offline(room, page, "Zoe", "Once more.")
    room.node.call("POST", f"/v1/conversations/{talk}/human", {"action": "take", "agent": "Ines"})
    sign_in(page, token(room, "Zoe"))
    failed = page.locator(".by-human.failed", has_text="Once more.")
    failed.get_by_text("Not sent").wait_for()
    take(page)
    failed.get_by_role("button", name="Try again").click()
    page.locator(".by-human.sent", has_text="Once more.").wait_for()
    assert page.locator(".toast.bad").count() == 0


def test_what_one_person_wrote_is_not_shown_to_the_next(room):
    page, talk = at_the_desk(room, "Zoe", "dora")
    page.locator("textarea").fill("a draft of Zoe's")
    ended(room, page, "Zoe")
    sign_in(page, token(room, "Marta"))
    take(page)
    assert page.locator("textarea").input_value() == ""
    written_offline(room, page, "Marta", "Words of Marta's.")
    # The owner, and the first agent, are neither of them Marta.
    sign_in(page, KEY)
    page.locator(".desk .stand", has_text="Marta answers").wait_for()
    assert page.get_by_text("Words of Marta's.").count() == 0
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, token(room, "Zoe"))
    take(page)
    assert page.locator("textarea").input_value() == "a draft of Zoe's"
    assert page.get_by_text("Words of Marta's.").count() == 0 and room.node.messages(talk, "human") == []
    ended(room, page, "Zoe")
    sign_in(page, token(room, "Marta"))
    # She does not have it any more: her words are not lost for that.
    page.locator(".by-human.failed", has_text="Words of Marta's.").wait_for()


def test_settings_that_were_not_saved_outlive_a_new_key(room):
    room.expected += ["401", "409"]
    with room.own_node() as (node, url):
        page = room.page(f"{url}/studio#/assistant")
        sign_in(page, KEY)
        page.get_by_label("Instructions").fill("Twenty minutes of careful writing.")
        page.get_by_text("Not saved yet: Instructions").wait_for()
        key = node.rotate_key()["api_key"]
        page.get_by_role("button", name="Save").click()
        page.get_by_text("Your key is no longer valid").wait_for()
        sign_in(page, key)
        page.get_by_text("Not saved yet: Instructions").wait_for()
        assert page.get_by_label("Instructions").input_value() == "Twenty minutes of careful writing."
        page.get_by_role("button", name="Save").click()
        toast(page, "Saved.")
        assert node.call("GET", "/v1/tenant", key=key)["profile"]["assistant"]["instructions"] == "Twenty minutes of careful writing."
        # An agent who comes in between is neither shown them nor saves them.
        page.get_by_label("Name", exact=True).fill("Unsaved")
        key = node.rotate_key()["api_key"]
        agents = node.call("POST", "/v1/agents", {"agent": "Zoe"}, key=key)["token"]
        page.get_by_role("button", name="Save").click()
        page.get_by_text("Your key is no longer valid").wait_for()
        sign_in(page, agents)
        assert page.locator("nav.rail a").all_inner_texts() == ["Conversations"]
        page.get_by_role("button", name="Sign out").click()
        sign_in(page, key)
        page.evaluate("location.hash = '#/assistant'")
        page.get_by_label("Name", exact=True).wait_for()
        assert page.get_by_label("Name", exact=True).input_value() == "Assistant"
