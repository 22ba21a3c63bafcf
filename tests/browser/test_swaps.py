"""The widget on pages that swap their body, run the tag again, or come back from the browser's cache."""

from room import text, wait_for
from test_widget import in_widget, is_finished, open_it, page_with, say_in, visit

TAG = """tag => { const script = document.createElement('script'); script.src = tag.src; script.dataset.tenant = tag.tenant; script.async = true;
    document.body.append(script); return new Promise(done => { script.onload = done; }); }"""

#: What libraries do to a page when one goes from one address to another.
SWAPS = {
    "a new body, empty": "document.body = document.createElement('body')",
    "a new body with the tag in it, which is run": """(() => { const next = document.createElement('body'); const tag = document.createElement('script');
        tag.src = document.querySelector('script[src]').src; tag.dataset.tenant = 'demo'; next.append(document.createElement('main'), tag); document.documentElement.replaceChild(next, document.body); })()""",
    "other content in the same body": "document.body.innerHTML = '<main><h1>Elsewhere</h1></main>'",
    "content put in place of all children": "document.body.replaceChildren(document.createElement('main'))",
    "the chat alone taken out, as by a morph": "document.querySelector('tertulia-widget').remove()",
    "a likeness of the body from a cache": """(() => { const likeness = document.body.cloneNode(true); document.body.replaceWith(document.createElement('body')); document.body.replaceWith(likeness); })()""",
    "the body's HTML as it was kept": "(() => { const html = document.body.innerHTML; document.body.innerHTML = '<p>on the way</p>'; document.body.innerHTML = html; })()",
    "everything put into a box, as for an effect": """(() => { const box = document.createElement('div'); box.style.display = 'none'; box.append(...document.body.childNodes); document.body.append(box); })()""",
    "a whole new document element": """(() => { const html = document.createElement('html'); html.append(document.createElement('head'), document.createElement('body')); document.replaceChild(html, document.documentElement); })()""",
}


def settled(page):
    page.wait_for_function("() => { const all = document.querySelectorAll('tertulia-widget'); return all.length === 1 && all[0].shadowRoot; }", timeout=5_000)


def test_a_swapped_body_keeps_the_chat(room):
    for name, swap in SWAPS.items():
        page = visit(room)
        open_it(page)
        say_in(page, "quote before.")
        is_finished(page)
        page.locator("textarea").fill("half a thought")
        page.evaluate(swap)
        try:
            settled(page)
        except Exception as error:
            raise AssertionError(name) from error
        page.wait_for_timeout(300)
        settled(page)
        assert in_widget(page, "root.querySelector('dialog').open"), name
        assert page.locator("textarea").input_value() == "half a thought", name
        assert in_widget(page, "root.activeElement.tagName") == "TEXTAREA", name
        say_in(page, "quote after.")
        is_finished(page, 2)
        assert text(page) == "after.", name
        kinds = [frame["type"] for frame in page.frames_sent]
        assert kinds.count("auth") == 1, f"{name}: the connection did not outlive it"
        page.close()


def test_on_a_phone_a_swapped_body_keeps_the_chat_over_the_page(room):
    page = visit(room, viewport={"width": 320, "height": 568})
    open_it(page)
    page.evaluate("document.body = document.createElement('body')")
    settled(page)
    assert in_widget(page, "root.querySelector('dialog').matches(':modal')")


def test_a_swap_in_mid_reply_loses_nothing(room):
    from stub import expected

    page = visit(room)
    open_it(page)
    say_in(page, "say 100 words 20")
    for _ in range(4):
        page.wait_for_timeout(300)
        page.evaluate("document.body = document.createElement('body')")
    is_finished(page)
    assert text(page) == expected("say 100 words 20").strip()


def test_the_tag_twice_gives_one_chat(room):
    tag = f'<script src="{room.url}/widget.js" data-tenant="demo" async></script>'
    room.shop.page = page_with(room, tag * 2)
    room.node.allow(room.shop.url, *room.own())
    page = room.page(room.shop.url + "/")
    page.locator(".launcher").first.wait_for()
    page.wait_for_timeout(500)
    assert page.locator("tertulia-widget").count() == 1
    for _ in range(2):
        page.evaluate(TAG, {"src": f"{room.url}/widget.js", "tenant": "demo"})
    page.wait_for_timeout(300)
    assert page.locator("tertulia-widget").count() == 1
    open_it(page)
    say_in(page, "quote one chat.")
    is_finished(page)


def test_a_chat_that_was_removed_while_it_loads_opens_no_connection(room):
    page = visit(room)
    open_it(page)
    say_in(page, "quote before.")
    is_finished(page)
    # The rest of it is on its way when the page thinks better of it; the conversation is remembered.
    held = []
    page.route("**/web/packs/widget-chat.*", lambda route: held.append(route))
    sockets = []
    page.on("websocket", lambda socket: sockets.append(socket))
    page.reload()
    page.locator(".launcher").wait_for()
    wait_for(lambda: page.wait_for_timeout(20) or held, "the rest of it")
    page.evaluate("tertulia.remove()")
    held[0].continue_()
    page.wait_for_timeout(700)
    assert not sockets and page.locator("tertulia-widget").count() == 0, sockets


def test_a_chat_that_was_removed_stays_away_until_the_tag_is_run_again(room):
    page = visit(room)
    page.evaluate("tertulia.remove()")
    page.evaluate("document.body.innerHTML = '<main></main>'")
    page.wait_for_timeout(300)
    assert page.locator("tertulia-widget").count() == 0
    page.evaluate(TAG, {"src": f"{room.url}/widget.js", "tenant": "demo"})
    page.locator(".launcher").wait_for()
    open_it(page)
    say_in(page, "quote back.")
    is_finished(page)


def test_a_page_that_takes_it_out_for_ever_is_not_fought(room):
    page = visit(room)
    page.evaluate("""() => { window.taken = 0; new MutationObserver(() => { const one = document.querySelector('tertulia-widget'); if (one) { window.taken += 1; one.remove(); } })
        .observe(document.body, {childList: true}); document.querySelector('tertulia-widget').remove(); }""")
    wait_for(lambda: page.wait_for_timeout(200) or page.evaluate("window.taken") > 5, "the fight")
    page.wait_for_timeout(500)
    assert page.evaluate("window.taken") < 60 and page.locator("tertulia-widget").count() == 0


def test_a_page_from_the_browsers_cache_is_connected_again(room):
    page = visit(room)
    open_it(page)
    say_in(page, "quote first.")
    is_finished(page)
    # Headless browsers keep no pages; the two events are what a page sees of it.
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    auths = [frame["type"] for frame in page.frames_sent].count("auth")
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    say_in(page, "quote second.")
    is_finished(page, 2)
    assert [frame["type"] for frame in page.frames_sent].count("auth") == auths + 1, "the socket stood in the way of the cache"
