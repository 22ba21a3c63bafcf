"""The studio: signing in, teaching, trying, and following conversations."""

import json
import re

from node import KEY, ROOT, Node
from room import PHONE, finished, grown, say, text, wait_for
from stub import expected
from website import Website

DOCUMENTS = ROOT / "tests/fixtures/documents"


def door(room):
    """The studio's address, as somebody who is not signed in comes to it."""
    return room.page(room.url + "/studio")


def studio(room, page="teach", **options):
    """A page of the studio, signed in."""
    context = room.context(**options)
    context.add_init_script(f"sessionStorage.getItem('signed') || sessionStorage.setItem('tertulia.studio.key', '{KEY}'); sessionStorage.setItem('signed', 'once')")
    shown = room.page(f"{room.url}/studio#/{page}", context)
    shown.locator("#page[data-page]").wait_for()
    return shown


def toast(page, words):
    page.locator(".toast").get_by_text(words).wait_for()


def test_a_key_opens_the_studio_and_is_kept_for_this_tab(room):
    room.expected.append("401")
    page = door(room)
    page.get_by_label("API key").fill("tk_wrong_wrong_wrong_wrong")
    page.keyboard.press("Enter")
    page.get_by_text("The node does not know this key").wait_for()
    assert page.evaluate("document.activeElement.name") == "key", "the keyboard lost its place"
    page.get_by_label("API key").fill(KEY)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Teach", level=1).wait_for()
    assert page.evaluate("localStorage.length") == 0
    page.reload()
    page.get_by_role("heading", name="Teach", level=1).wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("API key").wait_for()
    assert KEY not in page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")


def test_a_key_is_remembered_only_when_asked(room):
    page = door(room)
    page.get_by_label("API key").fill(KEY)
    page.get_by_label("Remember me on this device").check()
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Teach", level=1).wait_for()
    other = room.page(room.url + "/studio", page.context)
    other.get_by_role("heading", name="Teach", level=1).wait_for()


def test_a_key_that_stops_being_valid_leads_back_to_the_door(room):
    room.expected.append("401")
    page = studio(room)
    page.get_by_text("Learned", exact=True).wait_for()
    refusal = {"error": {"code": "unauthorized", "message": "no"}}
    page.route("**/v1/**", lambda route: route.fulfill(status=401, json=refusal))
    page.get_by_role("link", name="Conversations").click()
    page.get_by_text("Your key is no longer valid").wait_for()
    assert page.get_by_role("navigation").count() == 0
    assert KEY not in page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")


def test_files_are_learned_and_what_was_not_says_why(room):
    room.expected.append("400|422")
    guide = (DOCUMENTS / "guide.pdf").read_bytes()
    page = studio(room)
    page.locator("input[type=file]").set_input_files([
        {"name": "returns.md", "mimeType": "text/markdown", "buffer": b"# Returns\n\nYou have thirty days to return coffee that you have not opened."},
        {"name": "hours.txt", "mimeType": "text/plain", "buffer": b"We are open from nine to five on working days."},
        {"name": "empty.md", "mimeType": "text/markdown", "buffer": b""},
        {"name": "photo.png", "mimeType": "image/png", "buffer": b"\x89PNG"},
        {"name": "guide.pdf", "mimeType": "application/pdf", "buffer": guide},
        {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"},
    ])
    page.get_by_text(re.compile(r"Learned 3 files \(\d+ passages\)\. 3 were not learned; the reasons stand beside them\.")).wait_for()
    line = lambda name: page.locator(".outcome", has_text=name).inner_text()
    assert "learned, 1 passage" in line("returns.md")
    assert "The file is empty." in line("empty.md")
    assert "This kind of file cannot be learned." in line("photo.png")
    assert "PDF" in line("broken.pdf"), line("broken.pdf")
    page.locator(".document", has_text="returns.md").wait_for()
    # Teaching the same again changes nothing, and says so.
    page.locator("input[type=file]").set_input_files([{"name": "hours.txt", "mimeType": "text/plain", "buffer": b"We are open from nine to five on working days."}])
    page.get_by_text("1 was known already.").wait_for()


def test_dropped_files_are_learned(room):
    page = studio(room)
    page.evaluate("""() => {
        const transfer = new DataTransfer();
        transfer.items.add(new File(['# Parcels\\n\\nA parcel takes two days.'], 'parcels.md', {type: 'text/markdown'}));
        document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true, cancelable: true}));
    }""")
    page.locator(".document", has_text="parcels.md").wait_for()


def test_forgetting_is_asked_first(room):
    room.node.call("POST", "/v1/knowledge", {"source": "old prices.md", "text": "# Prices\n\nA coffee is two euros."})
    page = studio(room)
    forget = page.get_by_role("button", name="Forget old prices.md")
    forget.click()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    assert forget.evaluate("node => node === document.activeElement"), "the keyboard lost its place"
    forget.click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    toast(page, "Forgot “old prices.md”.")
    forget.wait_for(state="detached")
    assert "old prices.md" not in [one["source"] for one in room.node.call("GET", "/v1/knowledge")["documents"]]


def test_a_site_is_followed_over_a_reload_and_summed_up(room):
    site = Website()
    try:
        page = studio(room)
        address = page.get_by_label("Web address")
        address.fill("not an address")
        page.get_by_role("button", name="Read the site").click()
        page.get_by_text("That is not a web address.").wait_for()
        address.fill(site.url)
        page.get_by_label("Read it again").select_option("every day")
        page.get_by_role("button", name="Read the site").click()
        page.get_by_text(f"3 pages read so far from {site.url}").wait_for()
        page.reload()
        page.get_by_text("3 pages read so far").wait_for()
        site.go_on()
        page.get_by_text(f"Learned 4 pages from {site.url}.").wait_for()
        outcome = page.locator(".site-outcome")
        outcome.get_by_text("1 page was skipped").wait_for()
        outcome.get_by_text("rules for robots exclude it").wait_for()
        # Four pages of one site are folded.
        page.locator("details.group summary", has_text=site.address).click()
        page.get_by_text(re.compile(f"{re.escape(site.url)} is read again on ")).wait_for()
        kept = room.node.call("GET", "/v1/knowledge/sites")["sites"]
        assert [(one["url"], one["pages"], one["every_hours"]) for one in kept] == [(site.url, 4, 24)], kept

        # Once more: what has not changed is not learned again, what is gone is forgotten.
        del site.pages["/faq"]
        site.pages["/returns"] = ("Returns", "Unopened coffee can be returned within sixty days.")
        page.get_by_role("button", name=f"Read {site.url} now").click()
        page.get_by_text(f"Learned 1 page from {site.url}. 2 pages were known already. 1 page is gone").wait_for()

        page.get_by_role("button", name=f"Forget all of {site.address}").click()
        page.get_by_role("dialog").get_by_role("button", name="Forget all 3").click()
        page.get_by_role("button", name=f"Forget all of {site.address}").wait_for(state="detached")
        assert room.node.call("GET", "/v1/knowledge/sites")["sites"] == [], "the site itself would be read again"
        assert not [one for one in room.node.call("GET", "/v1/knowledge")["documents"] if site.address in one["source"]]
    finally:
        site.close()


def test_a_site_that_cannot_be_read_says_why(room):
    page = studio(room)
    site = Website()
    site.close()
    page.get_by_label("Web address").fill(site.url)
    page.keyboard.press("Enter")
    page.get_by_text(re.compile(f"Reading {re.escape(site.url)} did not work: .+")).wait_for()
    # It is listed, and can be taken off the list alone: what was learned from another part of the host stays.
    room.node.call("POST", "/v1/knowledge", {"source": f"http://{site.address}/kept", "text": "Kept."})
    page.reload()
    page.get_by_role("button", name=f"Read {site.url} now").wait_for()
    page.get_by_role("button", name=f"Remove {site.url}").click()
    toast(page, f"{site.url} is not read any more.")
    assert room.node.call("GET", "/v1/knowledge/sites")["sites"] == []
    assert f"http://{site.address}/kept" in [one["source"] for one in room.node.call("GET", "/v1/knowledge")["documents"]]
    assert page.get_by_role("button", name=f"Remove {site.url}").count() == 0


def test_an_answer_is_shown_beside_what_it_was_made_from(room):
    room.node.call("POST", "/v1/knowledge", {"source": "shipping.md", "text": "# Shipping\n\nWe ship to Portugal in two to four working days by parcel."})
    page = studio(room, "try")
    say(page, "quote We ship to Portugal in two to four working days by parcel [1].")
    finished(page)
    made = page.get_by_role("complementary")
    made.get_by_text("shipping.md").first.wait_for()
    facts = made.locator(".facts").inner_text()
    assert "openai/stub" in facts and re.search(r"First words\s+\d", facts) and re.search(r"\d+ in, \d+ out", facts), facts
    page.get_by_role("button", name=re.compile("^Source 1:")).click()
    assert page.evaluate("document.activeElement.closest('.passage')?.dataset.n") == "1"
    page.reload()
    page.locator(".by-assistant.done").wait_for()
    page.get_by_role("button", name="New conversation").click()
    page.get_by_text("Ask the first question").wait_for()
    assert page.locator(".entry").count() == 0


def test_on_a_phone_the_sources_come_as_a_sheet(room):
    page = studio(room, "try", **PHONE)
    say(page, "quote hello")
    finished(page)
    page.get_by_role("button", name=re.compile("first words after")).click()
    sheet = page.get_by_role("dialog", name="Made from")
    sheet.get_by_text("openai/stub").wait_for()
    sheet.get_by_role("button", name="Close").click()
    sheet.wait_for(state="detached")


def joins(page):
    return [frame for frame in page.frames_sent if frame["type"] == "join"]


def tried(page):
    """The conversation that the owner tries the assistant out in."""
    return page.evaluate("sessionStorage.getItem('tertulia.studio.try')")


def test_a_cut_in_mid_reply_goes_on_at_the_same_character(room):
    page = studio(room, "try")
    say(page, "say 150 words 25")
    for chars in (80, 250, 500):
        grown(page, chars)
        before = len(joins(page))
        room.relay.cut()
        wait_for(lambda: page.wait_for_timeout(20) or len(joins(page)) > before, "the socket's return")
    finished(page)
    assert text(page) == expected("say 150 words 25").strip()
    assert len([join for join in joins(page) if re.fullmatch(r"\d+:\d+:\d+", str(join["after"]))]) == 3, joins(page)


def test_one_socket_serves_all_conversations_and_the_key_stands_in_its_first_frame_alone(room):
    conversation = visitor(room, "olga", "quote hello")
    page = studio(room, "try")
    opened = []
    page.on("websocket", lambda socket: opened.append(socket.url))
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    say(page, "quote first.")
    finished(page)
    page.evaluate(f"location.hash = '#/conversations/{conversation}'")
    page.get_by_role("heading", name="olga").wait_for()
    finished(page)
    assert len(opened) == 1 and opened[0].endswith("/v1/ws"), opened
    assert page.frames_sent[0]["type"] == "auth" and KEY not in json.dumps(page.frames_sent[1:])
    assert not [url for url in opened + asked if KEY in url or "/stream" in url]
    # The page that was left is heard no more.
    left = [frame["conversation"] for frame in page.frames_sent if frame["type"] == "leave"]
    assert left == [tried(page)], left


def test_what_is_not_answered_yet_outlives_a_reload_and_goes_with_who_signs_out(room):
    conversation = visitor(room, "pia", "quote hello")
    page = studio(room, "try")
    page.evaluate("localStorage.setItem('tertulia.studio.agent', 'Marta')")
    say(page, "quote first.")
    finished(page)
    own = tried(page)
    room.relay.stall()
    say(page, "quote said before the reload.")
    page.locator(".by-contact.sending").wait_for()
    page.wait_for_timeout(300)
    room.relay.refusing = True
    room.relay.cut()
    room.relay.refusing = False
    room.relay.flow()
    page.reload()
    finished(page, 2)
    assert room.node.messages(own, "contact") == ["quote first.", "quote said before the reload."]

    page.evaluate(f"location.hash = '#/conversations/{conversation}'")
    page.get_by_role("button", name="Take over").click()
    page.get_by_text("You answer; the assistant is silent").wait_for()
    room.relay.refusing = True
    room.relay.cut()
    page.get_by_text("Connection lost. Coming back").wait_for()
    say(page, "Marta, on a dead line.")
    page.locator(".by-human.sending").wait_for()
    # By a line that was never cut, the page comes anew; the agent's words are the agent's again.
    room.relay.refusing = False
    page.reload()
    page.locator(".by-human.sent").wait_for()
    assert room.node.messages(conversation, "human") == ["Marta, on a dead line."]

    room.relay.refusing = True
    room.relay.cut()
    page.get_by_text("Connection lost. Coming back").wait_for()
    say(page, "never sent")
    page.locator(".by-human.sending").wait_for()
    assert "never sent" in page.evaluate("JSON.stringify({...sessionStorage})")
    page.get_by_role("button", name="Sign out").click()
    asked = page.get_by_role("dialog", name="Sign out without sending?")
    asked.get_by_role("button", name="Cancel").click()
    assert page.locator(".by-human.sending").count() == 1, "who stays keeps what waits"
    page.get_by_role("button", name="Sign out").click()
    asked.get_by_role("button", name="Sign out").click()
    page.get_by_label("API key").wait_for()
    assert "never sent" not in page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")


def test_a_key_that_is_replaced_ends_what_is_open(room):
    room.expected.append("401")
    with room.own_node() as (node, url):
        context = room.context()
        context.add_init_script(f"sessionStorage.getItem('signed') || sessionStorage.setItem('tertulia.studio.key', '{KEY}'); sessionStorage.setItem('signed', 'once')")
        page = room.page(f"{url}/studio#/try", context)
        page.locator("#page[data-page]").wait_for()
        say(page, "quote first.")
        finished(page)
        node.rotate_key()
        page.get_by_text("Your key is no longer valid").wait_for()
        assert page.locator("textarea").count() == 0


def test_what_is_said_while_the_line_is_down_is_said_once(room):
    page = studio(room, "try")
    say(page, "first")
    finished(page)
    room.relay.refusing = True
    room.relay.cut()
    page.get_by_text("Connection lost. Coming back").wait_for()
    say(page, "said offline.")
    page.locator(".by-contact.sending").wait_for()
    page.wait_for_timeout(1500)
    room.relay.refusing = False
    finished(page, 2)
    assert room.node.messages(tried(page), "contact") == ["first", "said offline."]


def test_what_is_said_before_there_is_a_conversation_is_said_in_order_or_given_back(room):
    page = studio(room, "try")
    room.expected.append("Failed to load resource")
    answers = []
    opening = lambda route: route.continue_() if route.request.method != "POST" or not answers else answers.pop()(route)  # noqa: E731

    def refuse(route):
        page.wait_for_timeout(500)
        route.fulfill(status=403, json={"error": {"code": "forbidden", "message": "not with this key"}})

    answers.append(refuse)
    page.route("**/v1/conversations", opening)
    say(page, "quote one.")
    say(page, "quote two.")
    page.locator("textarea").fill("and typed")
    page.wait_for_function("() => document.querySelector('textarea').value.startsWith('quote')")
    assert page.locator("textarea").input_value() == "quote one.\nquote two.\nand typed"
    say(page, "quote three.")
    say(page, "quote four.")
    page.locator(".by-contact").nth(1).wait_for()
    finished(page)
    wait_for(lambda: page.wait_for_timeout(20) or len(room.node.messages(tried(page), "contact")) == 2, "both")
    assert room.node.messages(tried(page), "contact") == ["quote three.", "quote four."]


def test_who_goes_while_the_conversation_is_opened_has_said_it_and_listens_no_more(room):
    page = studio(room, "try")
    held = []
    page.route("**/v1/conversations", lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    say(page, "quote said on the way out.")
    wait_for(lambda: page.wait_for_timeout(20) or held, "the request")
    page.evaluate("location.hash = '#/teach'")
    page.locator("#page[data-page=teach]").wait_for()
    held[0].continue_()
    opened = wait_for(lambda: page.wait_for_timeout(20) or tried(page), "the conversation")
    wait_for(lambda: page.wait_for_timeout(20) or room.node.messages(opened, "contact") == ["quote said on the way out."], "the message")
    page.wait_for_timeout(300)
    assert [frame["type"] for frame in page.frames_sent if frame.get("conversation") == opened] == ["join", "say", "leave"], "it still listens"


def test_what_the_node_asked_to_wait_for_is_waited_for(room):
    context = room.context()
    context.add_init_script(f"sessionStorage.setItem('tertulia.studio.key', '{KEY}')")
    page = room.page(False, context)
    said = []

    def limited(socket):
        server = socket.connect_to_server()

        def sent(data):
            frame = json.loads(data)
            if frame["type"] != "say" or frame["text"] == "quote first.":
                return server.send(data)
            said.append(frame["text"])
            if len(said) > 1:
                return server.send(data)
            error = {"code": "rate_limited", "message": "not so fast", "retry_after": 3}
            socket.send(json.dumps({"type": "reply", "ref": frame["ref"], "error": error}))

        socket.on_message(sent)

    page.route_web_socket("**/v1/ws", limited)
    page.goto(f"{room.url}/studio#/try")
    say(page, "quote first.")
    finished(page)
    for n in range(4):
        say(page, f"quote number {n}.")
    # Another socket is no reason to try.
    room.relay.cut()
    page.wait_for_timeout(1_500)
    assert said == ["quote number 0."], said
    assert page.locator(".by-contact.sending .note").all_inner_texts() == [page.locator(".by-contact.sending .note").first.inner_text()] * 4
    wait_for(lambda: page.wait_for_timeout(20) or len(said) == 5, "the others")
    assert said == ["quote number 0.", *(f"quote number {n}." for n in range(4))], said
    page.wait_for_function("() => !document.querySelector('.by-contact.sending')")


def test_a_reply_is_stopped(room):
    page = studio(room, "try")
    say(page, "say 400 words 30")
    grown(page, 60)
    page.get_by_role("button", name="Stop the reply").click()
    finished(page)
    assert "Stopped" in page.locator(".by-assistant").inner_text()
    page.get_by_text("This answer was stopped").wait_for()


def visitor(room, contact, words):
    """Somebody writes to the tenant from elsewhere."""
    conversation = room.node.call("POST", "/v1/conversations", {"contact": contact})["id"]
    room.node.call("POST", f"/v1/conversations/{conversation}/messages", {"ref": "1", "text": words})
    return conversation


def test_an_erased_conversation_leaves_the_list(room):
    page = studio(room, "conversations")
    kept, erased = (visitor(room, contact, f"quote from {contact}") for contact in ("clara", "dora"))
    rows = [page.get_by_role("link", name=re.compile(f"^{contact}")) for contact in ("clara", "dora")]
    for row in rows:
        row.wait_for()
    room.node.call("DELETE", f"/v1/conversations/{erased}")
    rows[1].wait_for(state="detached")
    assert rows[0].is_visible() and "dora" not in page.locator(".rows").inner_text(), kept


def test_conversations_appear_and_stream_as_they_happen(room):
    page = studio(room, "conversations")
    conversation = visitor(room, "berta", "quote hello")
    row = page.get_by_role("link", name=re.compile("^berta"))
    row.wait_for()
    row.click()
    page.get_by_role("heading", name="berta").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "berta", "the keyboard was not led along"
    finished(page)
    room.node.call("POST", f"/v1/conversations/{conversation}/messages", {"ref": "2", "text": "say 100 words 30"})
    page.get_by_text("The assistant is answering now").wait_for()
    grown(page, 60)
    finished(page, 2)
    assert text(page) == expected("say 100 words 30").strip()
    # What the customer said tells one from another, what they were answered does not.
    row.locator(".row-said", has_text="say 100 words 30").wait_for()
    assert page.locator(".row").first.inner_text().startswith("berta")


def test_a_person_takes_over_answers_and_hands_back(room):
    conversation = visitor(room, "carla", "quote hello")
    page = studio(room, f"conversations/{conversation}")
    page.get_by_role("button", name="Take over").click()
    dialog = page.get_by_role("dialog", name="Who answers?")
    dialog.get_by_role("button", name="Take over").click()
    dialog.get_by_text("Enter the name that the customer will see.").wait_for()
    dialog.get_by_label("Your name").fill("Marta")
    page.keyboard.press("Enter")
    page.get_by_text("You answer; the assistant is silent").wait_for()
    page.wait_for_function("() => document.activeElement.tagName === 'TEXTAREA'")
    say(page, "Hello Carla, this is Marta.")
    page.locator(".by-human.sent").wait_for()
    room.node.call("POST", f"/v1/conversations/{conversation}/messages", {"ref": "2", "text": "say 5 words 5"})
    page.locator(".by-contact", has_text="say 5 words 5").wait_for()
    page.get_by_role("button", name="Hand back").click()
    page.locator(".by-assistant.done").nth(1).wait_for()
    page.get_by_role("button", name="Close", exact=True).click()
    page.get_by_text("Closed; the assistant answers when the customer writes again").wait_for()
    facts = [(event["type"], event.get("agent")) for event in room.node.events(conversation) if event["author"] in ("human", "system")]
    assert facts == [("opened", None), ("taken_over", "Marta"), ("message", "Marta"), ("handed_back", "Marta"), ("closed", None)], facts


def test_what_a_colleague_has_is_read_only(room):
    conversation = visitor(room, "dora", "quote hello")
    page = studio(room, f"conversations/{conversation}")
    page.get_by_role("button", name="Take over").wait_for()
    room.node.call("POST", f"/v1/conversations/{conversation}/human", {"action": "take", "agent": "Ines"})
    page.get_by_text("Ines answers; the assistant is silent").wait_for()
    assert page.locator("textarea").count() == 0
    page.locator(".row", has_text="dora").locator(".badge", has_text="Ines").wait_for()


def test_a_takeover_in_mid_reply_ends_it(room):
    conversation = visitor(room, "emma", "say 1000 words 30")
    page = studio(room, f"conversations/{conversation}")
    page.evaluate("localStorage.setItem('tertulia.studio.agent', 'Marta')")
    grown(page, 60)
    page.get_by_role("button", name="Take over").click()
    page.get_by_text("You answer; the assistant is silent").wait_for()
    finished(page)
    assert [event["end"] for event in room.node.events(conversation) if event.get("turn") and event["type"] == "message"] == ["cancelled"]


def test_a_foreign_conversation_is_not_shown(room):
    room.expected.append("404")
    page = studio(room, "conversations/conv_" + "0" * 32)
    page.get_by_text("This conversation cannot be shown.").wait_for()


def test_looking_changes_nothing(room):
    """The list reads logs: it must not wake conversations, and write nothing."""
    conversation = visitor(room, "fritzi", "quote hello")
    wait_for(lambda: room.node.messages(conversation, "assistant"), "the answer")
    before = json.dumps(room.node.events(conversation))
    page = studio(room, "conversations")
    page.get_by_role("link", name=re.compile("^fritzi")).wait_for()
    assert json.dumps(room.node.events(conversation)) == before


def test_the_studio_gives_out_the_public_address(room):
    node = Node(room.model, room.options.proxy, TERTULIA_PUBLIC_URL="https://chat.example:21443")
    try:
        context = room.context()
        context.add_init_script(f"sessionStorage.setItem('tertulia.studio.key', '{KEY}')")
        page = room.page(f"http://127.0.0.1:{node.front}/studio#website", context=context)
        room.expected += ["Failed to load resource", "no chat for tenant"]
        page.locator(".snippet").wait_for()
        assert "https://chat.example:21443/widget.js" in page.locator(".snippet").inner_text()
        assert page.locator("a[href^='https://chat.example:21443/?tenant=demo']").count() == 1
    finally:
        node.stop()
