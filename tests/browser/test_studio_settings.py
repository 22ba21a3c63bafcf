"""The studio's settings: who the assistant is, where it may open, and two people changing it at once."""

import json

from room import DESKTOP, PHONE, check_axe, finished, say
from test_studio import studio, toast, visitor


def profile(room):
    return room.node.call("GET", "/v1/tenant")["profile"]


def with_look(room, page):
    """A profile that has a look, also where the node keeps none. Answers with what was saved, as it is saved."""
    if "widget" in profile(room):
        return lambda: profile(room)["widget"]
    look = {"greeting": "", "color": "", "side": "right", "language": ""}
    kept = {}

    def tenant(route):
        if route.request.method == "PUT":
            body = route.request.post_data_json
            kept.update(body["profile"].pop("widget", {}))
            answer = route.fetch(post_data=json.dumps(body))
        else:
            answer = route.fetch()
        body = answer.json()
        if answer.ok:
            body["profile"]["widget"] = {**look, **body["profile"].get("widget", {}), **kept}
        route.fulfill(response=answer, json=body)

    page.context.route("**/v1/tenant", tenant)
    page.reload()
    page.locator("#page[data-page]").wait_for()
    return lambda: kept


def test_settings_are_saved_and_taken_back(room):
    page = studio(room, "assistant")
    bar = page.get_by_role("region", name="Unsaved changes")
    assert bar.is_hidden()
    page.get_by_label("Name", exact=True).fill("")
    page.get_by_text("Not saved yet: Name").wait_for()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("This cannot be empty.").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"
    page.get_by_label("Name", exact=True).fill("Vera")
    page.get_by_label("Instructions").fill("You answer for a coffee shop.")
    # What is typed is kept while another page is looked at.
    page.get_by_role("link", name="Website").click()
    bar.get_by_text("Name, Instructions").wait_for()
    page.get_by_role("link", name="Assistant", exact=True).click()
    page.get_by_role("button", name="Save").click()
    toast(page, "Saved.")
    assert bar.is_hidden()
    assert profile(room)["assistant"]["name"] == "Vera"
    page.locator(".toast").get_by_role("button", name="Undo").click()
    toast(page, "Undone.")
    assert profile(room)["assistant"]["name"] == "Assistant"
    assert page.get_by_label("Name", exact=True).input_value() == "Assistant"


def test_of_two_changes_of_one_setting_the_person_chooses(room):
    room.expected.append("409")
    page = studio(room, "assistant")
    page.get_by_label("Name", exact=True).fill("Mine")
    page.get_by_label("Tone").fill("brief")
    room.node.change_profile(lambda one: one["assistant"].update(name="Theirs", instructions="Answer in verse."))
    page.get_by_role("button", name="Save").click()
    dialog = page.get_by_role("dialog", name="Somebody else saved changes")
    dialog.wait_for()
    check_axe(page, "conflict")
    assert dialog.get_by_role("radio").count() == 2, "only the name was changed twice"
    assert "Answer in verse." in dialog.inner_text()
    page.keyboard.press("Escape")
    assert profile(room)["assistant"]["name"] == "Theirs"
    assert page.get_by_label("Name", exact=True).input_value() == "Mine", "what was typed is lost"
    page.get_by_role("button", name="Save").click()
    dialog.get_by_label("Theirs, saved now:").check()
    dialog.get_by_role("button", name="Save").click()
    toast(page, "Saved.")
    now = profile(room)["assistant"]
    assert (now["name"], now["tone"], now["instructions"]) == ("Theirs", "brief", "Answer in verse.")
    assert page.get_by_label("Name", exact=True).input_value() == "Theirs"
    room.node.change_profile(lambda one: one.pop("assistant"))


def test_discarded_changes_come_back(room):
    page = studio(room, "assistant")
    page.get_by_label("Tone").fill("in rhymes")
    page.get_by_role("button", name="Discard").click()
    assert page.get_by_label("Tone").input_value() == "friendly, brief, exact"
    page.locator(".toast").get_by_role("button", name="Undo").click()
    assert page.get_by_label("Tone").input_value() == "in rhymes"
    page.get_by_text("Not saved yet: Tone").wait_for()


def test_sites_are_spelled_as_browsers_do(room):
    page = studio(room, "website")
    listed = page.get_by_role("list", name="Sites that may open the chat")
    before = room.own()
    address = page.get_by_label("Address of your site")
    for wrong in ("shop", "ftp://shop.example", "https://"):
        address.fill(wrong)
        page.keyboard.press("Enter")
        page.get_by_text("That is not a site’s address.").wait_for()
    for typed in ("Shop.example/help?x=1", "http://localhost:3000", "https://bücher.example"):
        address.fill(typed)
        page.keyboard.press("Enter")
    address.fill("https://shop.example/")
    page.keyboard.press("Enter")
    page.get_by_text("This address is on the list already.").wait_for()
    page.get_by_text("Save your changes first").wait_for()
    listed.get_by_role("button", name="Remove http://localhost:3000").click()
    page.get_by_role("button", name="Save").click()
    toast(page, "Saved.")
    assert profile(room)["allowed_origins"] == [*before, "https://shop.example", "https://xn--bcher-kva.example"]


def test_the_line_to_paste_is_copied(room):
    page = studio(room, "website", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the line").click()
    toast(page, "Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == f'<script src="{room.url}/widget.js" data-tenant="demo" async></script>'


def test_the_preview_follows_the_look(room):
    page = studio(room, "website")
    kept = with_look(room, page)
    page.get_by_text("Left", exact=True).click()
    page.locator(".swatches label").nth(1).click()
    stage = page.locator(".preview-stage")
    assert stage.get_attribute("data-side") == "left"
    assert page.locator(".preview-launcher").evaluate("node => getComputedStyle(node).backgroundColor") == "rgb(11, 107, 87)"
    page.get_by_role("link", name="Assistant", exact=True).click()
    page.get_by_label("Greeting").fill("Good day!")
    page.get_by_role("link", name="Website").click()
    page.locator(".preview-greeting", has_text="Good day!").wait_for()
    page.get_by_role("button", name="Save").click()
    toast(page, "Saved.")
    look = kept()
    assert (look["side"], look["color"], look["greeting"]) == ("left", "#0b6b57", "Good day!")


def test_the_business_has_a_name_and_a_clock(room):
    page = studio(room, "assistant")
    zone = page.get_by_role("combobox", name="Time zone")
    options = page.get_by_role("listbox", name="Time zones").get_by_role("option")
    assert zone.input_value() == "UTC"
    page.get_by_label("Business name").fill("Casa Vera")
    # By city, by country, by name, by offset; the whole list where nothing is typed.
    zone.click()
    options.first.wait_for()
    assert options.count() > 300
    for typed, first in [("madr", "Madrid"), ("spain", "Madrid"), ("new york", "New York"), ("kyiv", "Kiev"), ("pacific", "Los Angeles"), ("+5:45", "Katmandu")]:
        zone.fill(typed)
        options.first.wait_for()
        found = options.all_inner_texts()
        assert any(one.startswith(first) for one in found[:6]), f"{typed}: {found[:6]}"
    zone.fill("nowhere at all")
    assert options.count() == 0
    page.get_by_text("This browser knows no time zone of this name.").wait_for()
    # The keyboard alone.
    zone.fill("madrid")
    options.first.wait_for()
    marked = zone.get_attribute("aria-activedescendant")
    assert page.locator(f"#{marked}").inner_text().startswith("Madrid") and zone.get_attribute("aria-expanded") == "true"
    check_axe(page, "time zones")
    room.shot(page, "studio-zones")
    page.keyboard.press("Enter")
    assert zone.input_value() == "Europe/Madrid" and zone.get_attribute("aria-expanded") == "false"
    page.get_by_text("It is ").wait_for()
    page.get_by_text("Not saved yet: Business name, Time zone").wait_for()
    page.get_by_role("button", name="Save").click()
    toast(page, "Saved.")
    assert profile(room)["business"] == {"name": "Casa Vera", "time_zone": "Europe/Madrid"}

    # What the node does not take is said beside the field, in its own words.
    room.expected.append("400")
    for label, wrong, advice in [("Time zone", "Mars/Olympus", "Time zone is a time zone of the IANA database, such as Europe/Madrid or UTC"), ("Business name", "x" * 201, "Business name holds at most 200 characters")]:
        field = page.get_by_label(label, exact=True)
        before = field.input_value()
        field.fill(wrong)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Save").click()
        page.locator(".wrong", has_text=advice).wait_for()
        assert field.get_attribute("aria-invalid") == "true" and field.evaluate("node => node === document.activeElement")
        assert advice in page.locator(f"#{field.get_attribute('aria-describedby').split()[-1]}").inner_text()
        check_axe(page, f"wrong {label}")
        field.fill(before)
        page.keyboard.press("Escape")
        assert page.locator(".wrong", has_text=advice).count() == 0
    # Chosen with the mouse, put away with Escape.
    zone.click()
    options.filter(has_text="Lisbon").click()
    assert zone.input_value() == "Europe/Lisbon"
    zone.click()
    page.keyboard.press("Escape")
    assert options.count() == 0 and zone.input_value() == "Europe/Lisbon"
    page.get_by_role("button", name="Discard").click()
    assert zone.input_value() == "Europe/Madrid"
    room.node.change_profile(lambda one: one.pop("business"))


def test_pages_are_usable_by_all_and_fit(room):
    conversation = visitor(room, "gita", "quote hello **you**")
    narrow = {"viewport": {"width": 320, "height": 640}}
    for name, options in {"desktop": DESKTOP, "dark": {**DESKTOP, "color_scheme": "dark"}, "phone": {**PHONE, "color_scheme": "dark"}, "narrow": narrow}.items():
        page = studio(room, "teach", **options)
        with_look(room, page)
        page.evaluate("localStorage.setItem('tertulia.studio.agent', 'Marta')")
        for place in ("teach", "try", "assistant", "website", "conversations", f"conversations/{conversation}"):
            page.evaluate("to => location.hash = '#/' + to", place)
            page.locator(f"#page[data-page={place.split('/')[0]}]").wait_for()
            if place == "teach":
                page.locator(".document").first.wait_for()
            if place == "try":
                say(page, "quote hello")
                finished(page)
                page.locator(".made-chip").wait_for()
            if place == "website":
                page.get_by_text("Another colour").wait_for()
            if "conv_" in place:
                page.locator(".by-assistant.done").wait_for()
                page.get_by_role("button", name="Take over").click()
                page.get_by_role("button", name="Hand back").wait_for()
            check_axe(page, f"{name}: {place}")
            room.shot(page, f"studio-{name}-{place.split('/')[0]}{'-open' if 'conv_' in place else ''}")
            wide = page.evaluate("[document.documentElement, document.querySelector('#page')].some(node => node.scrollWidth > node.clientWidth)")
            assert not wide, f"{name}: {place} is wider than the screen"
        page.get_by_role("button", name="Hand back").click()
        page.get_by_role("button", name="Take over").wait_for()


def test_the_door_is_usable_by_all(room):
    for options in (DESKTOP, {**PHONE, "color_scheme": "dark"}):
        page = room.page(room.url + "/studio", **options)
        page.get_by_label("API key").wait_for()
        check_axe(page, "sign in")


def test_questions_keep_the_keyboard_inside_and_give_it_back(room):
    page = studio(room, "teach")
    forget = page.get_by_role("button", name="Forget README.md")
    forget.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Cancel", "the safe answer is the first"
    check_axe(page, "question")
    for _ in range(4):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))")
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert forget.evaluate("node => node === document.activeElement")
