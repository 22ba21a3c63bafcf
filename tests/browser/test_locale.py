"""The language of the page, told by the client when it opens a conversation."""

from room import finished, say, text
from test_studio import studio

ROOMS = "# Habitaciones\n\n## Wifi\n\nEl wifi es gratis en todas las habitaciones y en el bar.\n"


def opened(node, conversation):
    return node.events(conversation)[0].get("locale")


def join(page):
    """The frame with which a conversation was opened."""
    return next(frame for frame in page.frames_sent if frame["type"] == "join" and "conversation" not in frame)


def test_the_chat_page_speaks_the_browser_s_language_until_the_visitor_tells_theirs(room):
    with room.own_node(TERTULIA_MODEL="builtin") as (node, url):
        node.call("POST", "/v1/knowledge", {"source": "habitaciones.md", "text": ROOMS})
        # The chat has no words in Portuguese; the visitor reads it all the same.
        for locale, begins in [("de-AT", "Aus “"), ("pt-BR", "De “"), ("en-US", "From “")]:
            page = room.page(url + "/", locale=locale)
            say(page, "wifi?")
            finished(page)
            assert text(page).startswith(begins), (locale, text(page))
            assert opened(node, page.evaluate("location.hash.slice(1)")) == locale
            assert join(page)["locale"] == locale
            say(page, "¿Hay wifi en las habitaciones?")
            finished(page, 2)
            assert text(page).startswith("De “"), text(page)
            # Coming back says nothing of it: it was said at the opening.
            page.reload()
            page.locator(".by-assistant.done").nth(1).wait_for()
            again = [frame for frame in page.frames_sent if frame["type"] == "join" and "conversation" in frame]
            assert again and not any("locale" in frame for frame in again), again


def test_the_widget_tells_the_language_of_its_page(room):
    room.node.allow(room.shop.url, *room.own())
    rows = [
        (" lang='es'", "", "en-US", "es"),
        (" lang='pt_br'", "", "en-US", "pt-BR"),
        ("", "", "de-CH", "de-CH"),
        (" lang='english please'", "", "fr-FR", "fr-FR"),
        # What the tenant has chosen for its chat goes before.
        (" lang='es'", "de", "en-US", "de"),
    ]
    for lang, chosen, browser, expected in rows:
        room.node.change_profile(lambda one: one["widget"].update(language=chosen))  # noqa: B023
        room.shop.page = f"<!doctype html><html{lang}><title>A shop</title><body><p>A shop.</p><script src='{room.url}/widget.js?tenant=demo' async></script></body></html>"
        page = room.page(room.shop.url + "/", locale=browser)
        page.locator(".launcher").click()
        page.locator("dialog[open] textarea").fill("quote hello")
        page.keyboard.press("Enter")
        page.locator(".by-assistant.done").wait_for()
        assert join(page)["locale"] == expected, (lang, chosen, browser, join(page))
    room.node.change_profile(lambda one: one["widget"].update(language=""))


#: A client on a socket of the test's own: what it sends, and what an older node makes of it.
CLIENT = """async ([options, old]) => {
    const {Tertulia} = await import('/web/tertulia.js');
    const sent = [];
    class Scripted extends EventTarget {
        constructor() { super(); setTimeout(() => this.onopen?.({})); }
        send(text) {
            const frame = JSON.parse(text);
            if (frame.type === 'ping') return this.answer(frame, {ok: {}});
            sent.push(frame);
            if (frame.type === 'join') {
                if (old && 'locale' in frame) return this.answer(frame, {error: {code: 'bad_frame', message: 'not a frame: unknown field `locale`'}});
                return this.answer(frame, {ok: {conversation: 'conv_' + '0'.repeat(32), head: 1, complete: true}});
            }
            this.answer(frame, {ok: frame.type === 'say' ? {seq: 2} : {}});
        }
        answer({ref}, what) { setTimeout(() => this.onmessage?.({data: JSON.stringify({type: 'reply', ref, ...what})})); }
        close() {}
    }
    const client = new Tertulia({token: 'constant', WebSocket: Scripted, ...options});
    const conversation = client.join();
    const said = await conversation.say('wifi?');
    client.close();
    return {said, joins: sent.filter(({type}) => type === 'join').map(({locale, conversation}) => [locale ?? null, Boolean(conversation)])};
}"""


def test_a_page_may_say_which_language_or_none_and_old_nodes_are_understood(room):
    page = room.page(locale="en-GB")
    page.locator("textarea").wait_for()
    page.evaluate("document.documentElement.lang = 'nl'")
    for options, old, joins in [
        ({}, False, [["nl", False]]),
        ({"locale": "es-419"}, False, [["es-419", False]]),
        ({"locale": None}, False, [[None, False]]),
        ({"locale": ""}, False, [[None, False]]),
        ({"locale": "no tag at all"}, False, [[None, False]]),
        ({"locale": "en-varianta-variantb-variantc-variantd"}, False, [["en", False]]),
        # One from before the field refuses the frame: then it is said without.
        ({}, True, [["nl", False], [None, False]]),
    ]:
        told = page.evaluate(CLIENT, [options, old])
        assert told == {"said": {"seq": 2}, "joins": joins}, (options, told)


def test_trying_in_the_studio_is_like_writing_from_the_owner_s_own_browser(room):
    page = studio(room, "try", locale="it-IT")
    say(page, "quote ciao")
    finished(page)
    assert opened(room.node, page.evaluate("sessionStorage.getItem('tertulia.studio.try')")) == "it-IT"
