"""Pages whose rules and scripts would hide the widget, move it, cover it or dress it: it looks and works as on an empty page."""

import re

from node import wait_for
from test_widget import page_with

VIEW = {"viewport": {"width": 1280, "height": 800}}
#: In the middle of the button, and in the upper part of the open chat.
BUTTON = {"x": 1232 - 14, "y": 752 - 14, "width": 28, "height": 28}
CARD = {"x": 872, "y": 84, "width": 376, "height": 380}

GONE = ("display:none!important;visibility:hidden!important;opacity:0!important;transform:translateX(-5000px)!important;position:absolute!important;"
        "left:-5000px!important;clip-path:inset(50%)!important;pointer-events:none!important;content-visibility:hidden!important;contain:strict!important;"
        "inline-size:0!important;block-size:0!important;overflow:hidden!important;filter:blur(20px)!important;mask:none!important;zoom:.1!important")

STYLES = {
    "all unset": "*{all:unset}",
    "all unset, important": "*{all:unset!important}",
    "all initial in a layer, important": "@layer reset{*,*::before,*::after{all:initial!important}}",
    "everything in the body in one stack": "body>*{position:relative;z-index:1}",
    "everything in the body hidden": "body>*{display:none!important}",
    "everything in the body gone in every way": f"body>*{{{GONE}}}",
    "the element by its name": f"tertulia-widget,tertulia-widget *{{{GONE}}}",
    "what is not defined": ":not(:defined){visibility:hidden!important;display:none!important}",
    "what has a language": f"[lang]:not(html){{{GONE}}}",
    "only what is known is shown": "body>:not(main):not(script){display:none!important}",
    "its colours and letters": "*{--accent:lime!important;--on-accent:red!important;--paper:lime!important;--ink:red!important;--line:red!important;--sans:cursive!important;"
                               "font:italic 60px cursive!important;color:lime!important;letter-spacing:2em!important;text-transform:uppercase!important;line-height:5!important;cursor:none!important}",
    "another rem": "html{font-size:4px!important}",
    "a moved and turned page": "html{transform:scale(.5)}body{transform:translateY(300px) rotate(20deg);perspective:100px;will-change:transform}",
    "a faded, filtered and cut page": "html{filter:grayscale(1)}body{opacity:.1;filter:blur(5px);clip-path:inset(0 0 90% 0);overflow:hidden;contain:paint;height:10px}",
    "a page that is a container": "html,body{container-type:size;contain:layout paint size;height:50px;overflow:clip;position:relative}",
    "animated and slow": "@keyframes gone{from,to{opacity:0;translate:-900px 0;visibility:hidden}}*{animation:gone 1s infinite!important;transition:all 100s!important}",
    "frames": "iframe{display:none!important;width:1px!important;height:1px!important}",
    "its parts": f"aside,dialog,button,textarea,[popover],.stage,.launcher,.card{{{GONE}}}dialog::backdrop,::backdrop{{background:red!important}}",
    "pseudo elements over the page": "body::after,html::after{content:'';position:fixed;inset:0;background:#fff;z-index:2147483647}",
}

INSIDES = {
    "a cover at the highest z-index": "<div style='position:fixed;inset:0;background:#fff;z-index:2147483647'></div>",
    "a cover that comes later": "<script>setInterval(() => { const one = document.createElement('div'); one.style = 'position:fixed;inset:0;background:#fff;z-index:2147483647!important'; document.body.append(one); if (document.body.childElementCount > 40) one.remove(); }, 100)</script>",
    "the element's own style": f"<script>setInterval(() => {{ const one = document.querySelector('tertulia-widget'); if (one) {{ one.style.cssText = '{GONE}'; one.className = 'gone'; if (!one.hidden) one.hidden = true; }} }}, 10)</script>",
    "all popovers are closed": "<script>setInterval(() => document.querySelectorAll('[popover]').forEach(one => one.hidePopover()), 10)</script>",
    "the body swapped again and again, at first": "<script>let left = 8; const timer = setInterval(() => { document.body = document.createElement('body'); left -= 1; if (!left) clearInterval(timer); }, 150)</script>",
    "all content put into a hidden box": "<script>addEventListener('load', () => setTimeout(() => { const box = document.createElement('div'); box.style.display = 'none'; box.append(...document.body.childNodes); document.body.append(box); }, 600))</script>",
}


def shown(room, head, inside=""):
    """A page on which the widget is, with its tree closed as it is for everybody."""
    room.shop.page = page_with(room, head).replace("</main>", f"</main>{inside}")
    page = room.page(room.shop.url + "/", context=room.context(opened=False, reduced_motion="reduce", **VIEW))
    page.wait_for_function("() => globalThis.tertulia")
    return page


def file_name(name):
    return re.sub(r"\W+", "-", name)


def look(page, clip):
    return page.screenshot(clip=clip, animations="allow", caret="initial")


def is_there(page, at):
    script = "([x, y]) => document.elementFromPoint(x, y)?.localName === 'tertulia-widget' && document.querySelectorAll('tertulia-widget').length === 1"
    return page.evaluate(script, [at["x"] + at["width"] / 2, at["y"] + at["height"] / 2])


def seen(page, at, like=None):
    """What is to be seen at a place, once the widget is there and looks as it should."""
    wait_for(lambda: page.wait_for_timeout(30) or (is_there(page, at) and (like is None or look(page, at) == like)), "the widget as on an empty page", 8)
    return look(page, at)


def opened(page, like=None):
    page.mouse.click(BUTTON["x"] + 14, BUTTON["y"] + 14)
    seen(page, CARD)
    # The pointer over the button would have it grow.
    page.mouse.move(5, 5)
    return seen(page, CARD, like)


def speaks(page):
    page.keyboard.type("quote It works.")
    page.keyboard.press("Enter")
    told = lambda: any(frame.get("event", {}).get("text") == "It works." for frame in page.frames_received)
    wait_for(lambda: page.wait_for_timeout(30) or told(), "the reply", 10)


def test_no_page_hides_moves_or_dresses_it(room):
    room.node.allow(room.shop.url, *room.own())
    empty = shown(room, "")
    button = seen(empty, BUTTON)
    card = opened(empty)
    assert len(set(card)) > 50 and button != card
    speaks(empty)
    room.shot(empty, "hostile-none")
    rows = [(name, f"<style>{style}</style>", "") for name, style in STYLES.items()] + [(name, "", inside) for name, inside in INSIDES.items()]
    for name, head, inside in rows:
        page = shown(room, head, inside)
        try:
            seen(page, BUTTON, button)
            opened(page, card)
            speaks(page)
        except Exception as error:
            room.shot(page, f"hostile-failed-{file_name(name)}")
            raise AssertionError(name) from error
        room.shot(page, f"hostile-{file_name(name)}")
        page.close()


def test_its_inside_is_out_of_reach(room):
    room.node.allow(room.shop.url, *room.own())
    page = shown(room, "")
    assert page.evaluate("document.querySelector('tertulia-widget').shadowRoot") is None
    opened(page)
    speaks(page)
    assert "It works" not in page.evaluate("document.documentElement.outerHTML + document.body.innerText")


def test_a_dialog_of_the_page_stands_above_it(room):
    """It is a guest: what the page asks first comes first."""
    room.node.allow(room.shop.url, *room.own())
    page = shown(room, "<style>#ask{inline-size:100vw;block-size:100vh;max-inline-size:none;max-block-size:none;margin:0;padding:0}</style>", "<dialog id=ask>Cookies? <button>No</button></dialog>")
    seen(page, BUTTON)
    page.evaluate("ask.showModal()")
    assert not is_there(page, BUTTON)
    page.evaluate("ask.close()")
    seen(page, BUTTON)
