"""Hands on the page: input methods that compose words, and readers who leave the end while a reply streams."""

from room import finished, grown, say
from test_studio import studio
from test_widget import in_widget, open_it, visit

#: Keys that belong to an input method, as browsers tell them. The first is Safari's Enter that ends a composition.
COMPOSED = [
    {"key": "Enter", "keyCode": 229, "isComposing": False},
    {"key": "Enter", "keyCode": 13, "isComposing": True},
    {"key": "Enter", "keyCode": 229, "isComposing": True},
    {"key": "Process", "keyCode": 229, "isComposing": True},
    {"key": "Escape", "keyCode": 229, "isComposing": False},
    {"key": "Escape", "keyCode": 27, "isComposing": True},
]

PRESS = """(field, keys) => keys.map(key => {
    const event = new KeyboardEvent('keydown', { bubbles: true, cancelable: true, composed: true, ...key });
    field.dispatchEvent(event);
    return event.defaultPrevented;
})"""


def test_keys_of_an_input_method_neither_send_nor_close(room):
    places = {"chat": room.page(), "studio": studio(room, "try"), "widget": visit(room)}
    open_it(places["widget"])
    for name, page in places.items():
        field = page.locator("textarea")
        field.fill("こんにちは")
        taken = field.evaluate(PRESS, COMPOSED)
        page.wait_for_timeout(100)
        assert not any(taken), (name, taken)
        assert field.input_value() == "こんにちは" and page.locator(".by-contact").count() == 0, name
    assert in_widget(places["widget"], "root.querySelector('dialog').open"), "Escape of the input method closed the chat"
    for name, page in places.items():
        page.locator("textarea").press("Enter")
        page.locator(".by-contact").wait_for()


def test_escape_of_an_input_method_does_not_stop_a_reply(room):
    page = room.page()
    say(page, "say 200 words 15")
    grown(page, 60)
    page.locator("textarea").evaluate(PRESS, COMPOSED)
    finished(page)
    assert "Stopped" not in page.locator(".by-assistant").inner_text()


LEFT = "(s => s.scrollHeight - s.scrollTop - s.clientHeight)(document.querySelector('.scroller'))"


def wheel(page):
    page.mouse.move(400, 250)
    for _ in range(30):
        page.mouse.wheel(0, -20)
        page.wait_for_timeout(25)


def small_wheel(page):
    page.mouse.move(400, 250)
    for _ in range(30):
        page.mouse.wheel(0, -3)
        page.wait_for_timeout(25)


def keys(page):
    page.locator(".scroller").focus()
    for _ in range(6):
        page.keyboard.press("ArrowUp")
        page.wait_for_timeout(40)


def drag(page):
    """As a hand on the scroll bar, or a selection that is pulled upward: the place changes in small steps."""
    page.evaluate("""async () => { const s = document.querySelector('.scroller'); for (let step = 0; step < 30; step += 1) {
        s.scrollTop -= 4; await new Promise(requestAnimationFrame); } }""")


def touch(page):
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": 300, "y": 200}]})
    for step in range(1, 25):
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": 300, "y": 200 + 4 * step}]})
        page.wait_for_timeout(20)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_any_move_upward_frees_the_view_while_a_reply_streams_fast(room):
    stuck = []
    for move in (wheel, small_wheel, keys, drag, touch):
        page = room.page(viewport={"width": 900, "height": 500}, has_touch=move is touch)
        say(page, "say 300 words 1")
        finished(page)
        say(page, "say 600 words 12")
        grown(page, 300)
        before = page.evaluate(LEFT)
        move(page)
        page.wait_for_timeout(300)
        place = page.evaluate("document.querySelector('.scroller').scrollTop")
        left = page.evaluate(LEFT)
        page.wait_for_timeout(1_000)
        if before > 2 or left < 60 or abs(page.evaluate("document.querySelector('.scroller').scrollTop") - place) > 1:
            stuck.append((move.__name__, before, left))
        page.close()
    assert not stuck, stuck


def test_who_comes_back_to_the_end_goes_along_again(room):
    page = room.page(viewport={"width": 900, "height": 500})
    say(page, "say 300 words 1")
    finished(page)
    say(page, "say 500 words 12")
    grown(page, 300)
    wheel(page)
    assert page.evaluate(LEFT) > 60
    page.mouse.wheel(0, 20_000)
    page.wait_for_function(f"() => {LEFT} < 2")
    grown(page, 2_500)
    assert page.evaluate(LEFT) < 60


def test_a_wheel_on_a_talk_that_fits_does_not_leave_its_end(room):
    page = room.page(viewport={"width": 900, "height": 700})
    say(page, "say 200 words 15")
    grown(page, 20)
    page.mouse.move(400, 250)
    page.mouse.wheel(0, -100)
    finished(page)
    assert page.evaluate(LEFT) < 2
