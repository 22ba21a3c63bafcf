"""Everybody can use the pages: axe finds nothing, the keyboard reaches all, three languages, both directions."""

from room import DESKTOP, PHONE, check_axe, conversation, finished, grown, reply, say
from test_widget import open_it, say_in, visit

#: Enough of the sample's words to be found for it.
SHIPPING = ("# Shipping\n\nYes, we ship to Portugal in two to four working days: put the goods into the basket, choose express or normal. "
            "Express costs 9 €, normal is free from 40 €. Portugal 4.90, Spain 3.90. We pay the way back. See our page.")

SAMPLE = """quote Yes, **we ship to Portugal** in two to four working days [1].

## How it goes
1. Put the goods into the *basket*
2. Choose `express` or normal
   - express costs 9 €
   - normal is free from 40 €

| Country | Days | Price |
|---|---|---:|
| Portugal | 2-4 | 4.90 |
| Spain | 1-3 | 3.90 |

> We pay the way back.

```js
const socket = new WebSocket("wss://chat.example/v1/ws", ["tertulia.v1"]);
```

See [our page](https://shop.example/shipping)."""


def test_axe_finds_nothing_on_the_chat_page(room):
    room.node.call("POST", "/v1/knowledge", {"source": "shipping.md", "text": SHIPPING})
    for device, options in (("desktop", DESKTOP), ("phone", PHONE)):
        for scheme in ("light", "dark"):
            name = f"chat-{device}-{scheme}"
            page = room.page(color_scheme=scheme, reduced_motion="reduce", **options)
            page.locator("textarea").wait_for()
            check_axe(page, f"{name}, empty")
            room.shot(page, f"{name}-1-empty")
            say(page, SAMPLE)
            finished(page)
            page.locator(".sources .show").first.click()
            page.locator(".sources").last.scroll_into_view_if_needed()
            check_axe(page, f"{name}, a reply")
            room.shot(page, f"{name}-2-reply")
            say(page, "say 300 words 30")
            grown(page, 150)
            room.shot(page, f"{name}-3-running")
            path = f"/v1/conversations/{conversation(page)}"
            room.node.call("POST", f"{path}/human", {"action": "take", "agent": "Marta"})
            room.node.call("POST", f"{path}/messages", {"ref": "m", "text": "Hello, this is Marta. I am looking into it.", "agent": "Marta"})
            page.locator(".by-human").wait_for()
            room.relay.refusing = True
            room.relay.cut()
            page.locator(".notice").get_by_text("The connection is gone").wait_for()
            say(page, "I am still here.")
            check_axe(page, f"{name}, a person, no connection")
            room.shot(page, f"{name}-4-person-offline")
            room.relay.refusing = False
            if device == "phone":
                page.get_by_role("button", name="Your conversations").click()
                page.locator(".history a").first.wait_for()
                page.wait_for_timeout(300)
                check_axe(page, f"{name}, the others")
                room.shot(page, f"{name}-5-others")


def test_axe_finds_nothing_in_the_widget(room):
    for device, options in (("desktop", DESKTOP), ("phone", PHONE)):
        for scheme in ("light", "dark"):
            page = visit(room, color_scheme=scheme, reduced_motion="reduce", **options)
            check_axe(page, f"widget {device} {scheme}, shut")
            open_it(page)
            room.shot(page, f"widget-{device}-{scheme}-1-empty")
            say_in(page, "quote Yes, **we do** [1].")
            page.locator(".by-assistant.done").wait_for()
            check_axe(page, f"widget {device} {scheme}, open")
            room.shot(page, f"widget-{device}-{scheme}-2-reply")


def test_the_keyboard_reaches_everything_in_order(room):
    page = room.page()
    say(page, "quote See [our page](https://shop.example/) [1].")
    finished(page)
    page.evaluate("document.activeElement.blur()")
    seen = []
    for _ in range(14):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.textContent.trim().slice(0, 40) || document.activeElement.tagName"))
    order = ["To the message field", "New conversation", "our page", "TEXTAREA"]
    places = [next((i for i, one in enumerate(seen) if one.startswith(part)), None) for part in order]
    assert None not in places and places == sorted(places), seen


def test_it_fits_a_small_screen(room):
    page = room.page(viewport={"width": 320, "height": 480})
    say(page, SAMPLE)
    finished(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert page.evaluate("document.querySelector('.scroller').scrollWidth <= document.querySelector('.scroller').clientWidth")
    for name in ("Your conversations", "New conversation", "Send"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box["width"] >= 40 and box["height"] >= 40, (name, box)


def test_it_speaks_the_readers_language(room):
    for locale, placeholder in (("es-MX", "Escriba un mensaje…"), ("de-AT", "Nachricht schreiben…"), ("pl-PL", "Write a message…")):
        page = room.page(locale=locale)
        page.locator("textarea").wait_for()
        assert page.locator("textarea").get_attribute("placeholder") == placeholder
        assert page.evaluate("document.documentElement.lang") == locale[:2].replace("pl", "en")
    catalogues = page.evaluate("""async () => {
        const { words } = await import('/web/ui/texts.js');
        const source = await (await fetch('/web/ui/texts.js')).text();
        const keys = [...new Set([...source.matchAll(/(\\w+): '/g)].map(found => found[1]))];
        return ['es', 'de'].flatMap(language => keys.filter(key => words(language)(key) === words('en')(key)));
    }""")
    assert set(catalogues) <= {"code"}, catalogues


def test_it_is_mirrored_for_who_writes_from_the_right(room):
    def arabic(route):
        answer = route.fetch()
        body = answer.json()
        route.fulfill(response=answer, json=body | {"look": body["look"] | {"language": "ar", "greeting": "مرحبا! كيف يمكنني مساعدتك؟"}})

    page = room.page(False)
    page.route("**/v1/widget/*", arabic)
    page.goto(room.url + "/")
    say(page, "quote نعم، نشحن إلى البرتغال خلال يومين إلى أربعة أيام. **مجانا** من 40 €.")
    finished(page)
    assert page.evaluate("document.documentElement.dir") == "rtl"
    side, own = page.locator(".side").bounding_box(), page.locator(".by-contact .body").bounding_box()
    assert side["x"] > 900 and own["x"] < 700, (side, own)
    assert reply(page).locator(".body p").evaluate("one => getComputedStyle(one).direction") == "rtl"
    room.shot(page, "chat-rtl")


def test_motion_can_be_turned_off(room):
    page = room.page(reduced_motion="reduce")
    say(page, "say 100 words 30")
    grown(page, 60)
    assert page.evaluate("document.getAnimations().filter(one => one.playState === 'running').length") == 0
    page.keyboard.press("Escape")
    finished(page)
