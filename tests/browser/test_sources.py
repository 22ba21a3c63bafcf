"""What a reply is from: pages by their titles, each passage one click away, and nothing in them but text."""

import json
import re

from node import KEY
from room import DESKTOP, PHONE, check_axe, finished, reply, say, text, wait_for

RETURNS = {"n": 1, "source": "https://shop.example/help/returns?lang=en&x=1", "title": "Returns", "address": "https://shop.example/help/returns?lang=en&x=1", "heading": "Returns › Within 30 days", "text": "You have thirty days to return coffee. The parcel costs £4.50."}
OPENED = {"n": 2, "source": "https://shop.example/help/returns?lang=en&x=1#opened", "heading": "Returns › Opened bags", "text": "Opened bags are not taken back."}
PRICES = {"n": 3, "source": "team/2026/Price list.2026.pdf", "heading": "", "text": "A kilo is 24 €."}
OWN = {"n": 4, "source": "answer:opening-hours", "heading": "When do you open?", "text": "We open at nine."}

#: A passage; what its title is, and where it leads.
NAMES = [
    (RETURNS, "Returns", "https://shop.example/help/returns?lang=en&x=1"),
    ({**OPENED, "n": 1}, "Returns", "https://shop.example/help/returns?lang=en&x=1#opened"),
    ({**PRICES, "n": 1}, "Price list.2026", None),
    ({**OWN, "n": 1}, "Our own answer", None),
    ({"n": 1, "source": "docs/returns.md", "heading": "", "text": "x"}, "returns", None),
    ({"n": 1, "source": "C:\\texts\\returns.docx", "heading": " › ", "text": "x"}, "returns", None),
    ({"n": 1, "source": "https://shop.example/help/return%20policy.html?x=y", "text": "x"}, "return policy", "https://shop.example/help/return%20policy.html?x=y"),
    ({"n": 1, "source": "https://shop.example/?page=7", "text": "x"}, "shop.example", "https://shop.example/?page=7"),
    ({"n": 1, "source": "https://shop.example/a?b", "title": "https://shop.example/a?b", "text": "x"}, "a", "https://shop.example/a?b"),
    ({"n": 1, "source": "notes.md", "title": "`Notes`", "heading": "Notes", "text": "x"}, "Notes", None),
    ({"n": 1, "source": "javascript:window.ran=1", "address": "javascript:window.ran=1", "title": "A page", "text": "x"}, "A page", None),
    ({"n": 1, "source": "https://bank.example@evil.example/", "title": "My bank", "text": "x"}, "My bank", None),
    ({"n": 1, "source": "<img src=x onerror=window.ran=1>.md", "title": "<script>window.ran=1</script>", "heading": "<b>x</b> › <i>y</i>", "text": "<img src=x onerror=window.ran=1>"}, "<script>window.ran=1</script>", None),
    ({"n": 1, "source": "long.md", "title": "é" * 5000, "text": "x"}, "é" * 120 + "…", None),
]


def given(page, passages):
    """Every reply of the page's node has these passages."""
    def told(data):
        frame = json.loads(data)
        event = frame.get("event", {})
        if event.get("type") == "message" and event.get("turn"):
            event["made"] = event.get("made", {}) | {"passages": passages}
        return json.dumps(frame)

    def route(socket):
        server = socket.connect_to_server()
        server.on_message(lambda data: socket.send(told(data)))

    page.route_web_socket("**/v1/ws", route)


def answered(room, passages, words, **options):
    page = room.page(False, **options)
    given(page, passages)
    page.goto(room.url + "/")
    say(page, f"quote {words}")
    finished(page)
    return page


def test_a_source_is_a_page_with_a_name(room):
    page = room.page(False)
    passages = []
    given(page, passages)
    page.goto(room.url + "/")
    for count, (passage, title, address) in enumerate(NAMES, 1):
        passages[:] = [passage]
        say(page, "quote So it is [1].")
        finished(page, count)
        shown = reply(page).locator(".sources .title")
        assert shown.inner_text() == title, (passage, shown.inner_text())
        assert shown.get_attribute("href") == address, passage
        assert not re.search(r"https?://|\?\w+=|answer:", reply(page).locator(".source-row").inner_text()), passage
        reply(page).locator(".show").click()
        assert reply(page).locator("blockquote").inner_text() == passage["text"]
        if address:
            assert shown.get_attribute("rel") == "noopener noreferrer nofollow" and shown.get_attribute("target") == "_blank"
    assert page.evaluate("window.ran ?? null") is None
    assert page.evaluate("document.querySelectorAll('.entries :is(script, img, i:not(.dots i), b)').length") == 0


def test_two_passages_of_a_page_are_one_source(room):
    page = answered(room, [RETURNS, OPENED, PRICES, OWN], "Thirty days [1], but not opened [2]. A kilo is 24 € [3, 4].")
    assert reply(page).locator(".source").count() == 3
    assert reply(page).locator(".source").first.locator(".numbers .number").all_inner_texts() == ["1", "2"]
    assert reply(page).locator(".cite button").all_inner_texts() == ["1", "2", "3", "4"]
    reply(page).get_by_role("button", name="What it says: Returns").click()
    assert reply(page).locator("blockquote:visible").all_inner_texts() == [RETURNS["text"], OPENED["text"]]
    assert reply(page).locator(".path:visible").all_inner_texts() == ["1 Within 30 days", "2 Opened bags"]


def test_a_number_in_the_text_leads_to_its_source_and_back(room):
    page = answered(room, [RETURNS, OPENED, PRICES], "Thirty days [1], a kilo is 24 € [3].")
    cited = reply(page).get_by_role("button", name="Source 3: Price list.2026")
    cited.focus()
    page.keyboard.press("Enter")
    passage = reply(page).locator("blockquote[data-n='3']")
    passage.wait_for()
    button = reply(page).get_by_role("button", name="What it says: Price list.2026")
    assert button.get_attribute("aria-expanded") == "true" and button.evaluate("one => one === document.activeElement")
    assert button.evaluate("one => document.getElementById(one.getAttribute('aria-controls')).contains(document.querySelector('blockquote[data-n=\"3\"]'))")
    page.keyboard.press("Enter")
    assert not passage.is_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert not passage.is_visible() and cited.evaluate("one => one === document.activeElement")


def test_visitors_see_what_is_cited_and_the_owner_all(room):
    page = answered(room, [RETURNS, PRICES], "Thirty days [1].")
    assert reply(page).locator(".source").count() == 1 and "Price list" not in reply(page).inner_text()
    say(page, "quote I name none.")
    finished(page, 2)
    assert not reply(page).locator(".sources").is_visible() and "assages" not in reply(page).inner_text()

    room.node.call("POST", "/v1/knowledge", {"source": "shipping.md", "text": "# Shipping\n\nWe ship to Portugal in two to four working days by parcel."})
    room.node.call("POST", "/v1/knowledge", {"source": "portugal.md", "text": "# Portugal\n\nParcels to Portugal are shipped by post, never by ship."})
    conversation = room.node.call("POST", "/v1/conversations", {"contact": "sonia"})["id"]
    room.node.call("POST", f"/v1/conversations/{conversation}/messages", {"ref": "1", "text": "quote We ship parcels to Portugal in four working days [1]."})
    context = room.context()
    context.add_init_script(f"sessionStorage.setItem('tertulia.studio.key', '{KEY}')")
    desk = room.page(f"{room.url}/studio#/conversations/{conversation}", context)
    finished(desk)
    others = reply(desk).get_by_text(re.compile(r"Also given, not cited: \d"))
    others.click()
    assert reply(desk).locator(".unnamed .source").count() >= 1


def test_sources_look_as_they_should(room):
    words = ("You have **thirty days** to return coffee that you have not opened [1]; opened bags stay with you [2]. "
             "A kilo is 24 € and the parcel costs £4.50 [3]. We open at nine [4].")
    for name, options in (("desktop-light", DESKTOP), ("desktop-dark", DESKTOP | {"color_scheme": "dark"}), ("phone-light", PHONE), ("phone-dark", PHONE | {"color_scheme": "dark"})):
        page = answered(room, [RETURNS, OPENED, PRICES, OWN], words, reduced_motion="reduce", **options)
        check_axe(page, f"sources {name}")
        room.shot(page, f"sources-{name}-1-closed")
        reply(page).locator(".show").first.click()
        reply(page).locator(".show").last.click()
        page.locator(".sources").last.scroll_into_view_if_needed()
        check_axe(page, f"sources open {name}")
        room.shot(page, f"sources-{name}-2-open")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


#: What stands on one line however narrow it is, and what may break.
WHOLE = [
    "£4.50", "12 €", "1.234,56 €", "12 000 €", "EUR 30", "CHF 12.50", "5 pm", "9.30 p.m.", "10:00–12:00", "10:00 – 12:00", "9 am – 5 pm", "9–17 Uhr", "20 kg", "5 m²", "21 °C", "10 %",
    "01632 960184", "+44 1632 960184", "+49 (0) 30 123456", "(555) 010-0199", "555-010-0199",
]
LOOSE = ["3 apples", "A12 and B13", "2026 was good", "v1.2.3 beta", "£ signs", "10 pmol"]


def test_amounts_times_and_phone_numbers_do_not_break(room):
    page = room.page()
    page.locator(".entries").wait_for(state="attached")
    lines = page.evaluate("""async ([whole, loose]) => {
        const { Markdown, plain } = await import('/web/ui/markdown.js');
        const host = document.createElement('div');
        document.querySelector('.entries').append(host);
        host.className = 'entry by-assistant';
        const of = (text, say) => {
            const body = document.createElement('div');
            body.className = 'body';
            body.style.inlineSize = '1ch';
            host.replaceChildren(body);
            say(body, `so ${text}, yes`);
            const range = document.createRange();
            const nodes = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
            const tops = new Set();
            let at = 0;
            for (let node; (node = nodes.nextNode()); at += node.length) {
                const from = Math.max(0, 3 - at), to = Math.min(node.length, 3 + text.length - at);
                for (let i = from; i < to; i += 1) {
                    if (!node.data[i].trim()) continue;
                    range.setStart(node, i);
                    range.setEnd(node, i + 1);
                    tops.add(Math.round(range.getBoundingClientRect().top));
                }
            }
            getSelection().selectAllChildren(body);
            return [text, tops.size, body.textContent, getSelection().toString().trim()];
        };
        const marked = (body, text) => new Markdown(body).update(text);
        const written = (body, text) => body.append(plain(text));
        const told = { whole: whole.flatMap((text) => [of(text, marked), of(text, written)]), loose: loose.map((text) => of(text, marked)) };
        host.remove();
        return told;
    }""", [WHOLE, LOOSE])
    for words, count, content, _ in lines["whole"]:
        assert count == 1, f"{words} stands on {count} lines"
        assert content == f"so {words}, yes", content
    for words, count, content, _ in lines["loose"]:
        assert count > 1, f"{words} is kept together"


def test_what_is_copied_is_what_was_said(room):
    words = "It is £4.50 or 12 € from 10:00–12:00, call 01632 960184."
    page = answered(room, [], words)
    copied = page.evaluate("""() => {
        getSelection().selectAllChildren(document.querySelector('.by-assistant .body'));
        return getSelection().toString();
    }""")
    assert copied == words, copied
    wait_for(lambda: page.wait_for_timeout(20) or words in page.evaluate("document.querySelector('.thread [role=status]').textContent"), "what is read aloud")
    assert text(page) == words
