"""The studio: what was learned of each page and file, and how reading a site went."""

import re

from room import DESKTOP, PHONE, check_axe, finished, say, wait_for
from test_studio import studio, toast
from website import Website

RATES = """# Habitaciones

Todas las habitaciones tienen vistas al mar.

## Precios

| habitación | por noche |
|---|---:|
| individual | 60 € |
| doble | 90 € |

## Cómo llegar

1. Tome el tren hasta la estación.
2. Siga la calle del puerto.

Pregunte por **Marta** en la recepción, o lea <https://inn.example/map>.
"""

#: A page with parts that are not learned, and with text that is no markup.
ORDER = (
    "Order by telephone or mail, and we pack it on the same day.</p>"
    "<table><tr><th>Weight<th>Price<tr><td>up to 2 kg<td>4.90 €<tr><td>up to 5 kg<td>6.90 €</table>"
    "<p>Write &lt;b&gt;urgent&lt;/b&gt; on it.</p>"
    "<form id=order><p>Your name and address, please.</p><input><select><option>Ground<option>Express</select></form>"
    "<div hidden id=old>This offer was for the last summer and nobody sees it any more.</div><p>"
)


def documents(room):
    return [one["source"] for one in room.node.call("GET", "/v1/knowledge")["documents"]]


def shot_of_all(room, page, name):
    """A picture of the whole page: what scrolls is made as high as what is in it."""
    if room.options.shots:
        height = page.evaluate("document.querySelector('#page')?.scrollHeight ?? 0") + 200
        size = page.viewport_size
        page.set_viewport_size({"width": size["width"], "height": min(max(size["height"], height), 4_000)})
        room.shot(page, name)
        page.set_viewport_size(size)


def test_a_document_opens_to_what_the_assistant_knows_of_it(room):
    room.node.call("POST", "/v1/knowledge", {"source": "files/tarifas & más.md", "text": RATES})
    page = studio(room)
    row = page.get_by_role("link", name="files/tarifas & más.md")
    row.click()
    page.get_by_role("heading", name="Habitaciones", level=1).wait_for()
    assert page.evaluate("document.activeElement.tagName") == "H1", "the keyboard was not led along"
    assert page.get_by_role("heading", name="Teach").count() == 0
    about = page.locator(".document-about").inner_text()
    assert "Spanish" in about and "a file" in about and re.search(r"Passages\s+3", about), about
    known = page.locator(".known")
    assert known.count() == 3
    assert known.nth(1).locator("table tbody tr").all_inner_texts() == ["individual\t60 €", "doble\t90 €"]
    assert page.locator(".passage-section h2").all_inner_texts() == ["Precios", "Cómo llegar"], "the title is said once"
    assert known.nth(2).locator("ol li").count() == 2 and "Pregunte por Marta en la recepción" in known.nth(2).inner_text()
    page.get_by_text("Nothing: all of its text was learned.").wait_for()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download as text").click()
    assert saved.value.suggested_filename == "Habitaciones.md"
    assert open(saved.value.path(), encoding="utf-8").read() == RATES
    page.go_back()
    page.get_by_role("heading", name="Teach", level=1).wait_for()
    assert row.evaluate("node => node === document.activeElement"), "the keyboard lost its place"
    # The address alone is enough.
    page.go_forward()
    page.reload()
    page.get_by_role("heading", name="Habitaciones", level=1).wait_for()
    page.get_by_role("button", name="Forget files/tarifas & más.md").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    toast(page, "Forgot “files/tarifas & más.md”.")
    page.get_by_role("heading", name="Teach", level=1).wait_for()
    assert "files/tarifas & más.md" not in documents(room)
    room.expected.append("404")
    page.go_back()
    page.get_by_text("This was not learned, or has been forgotten.").wait_for()


def test_a_passage_of_an_answer_leads_to_its_document(room):
    room.node.call("POST", "/v1/knowledge", {"source": "madeira.md", "text": "# Post to Madeira\n\nA parcel to Madeira takes nine days.\n\n## Lost ones\n\nWe look for them."})
    for options in (DESKTOP, PHONE):
        page = studio(room, "try", **options)
        say(page, "quote A parcel to Madeira takes nine days.")
        finished(page)
        if options is PHONE:
            page.get_by_role("button", name=re.compile("first words after")).click()
        # Which of the passages it is depends on what else was taught.
        passage = page.locator(".passage:visible", has_text="nine days")
        if passage.locator("details").get_attribute("open") is None:
            passage.locator("summary").click()
        passage.get_by_role("link", name="All that was learned of it").click()
        page.get_by_role("heading", name="Post to Madeira", level=1).wait_for()
        assert page.locator(".known").count() == 2 and page.get_by_role("dialog").count() == 0
    room.node.call("DELETE", "/v1/knowledge?source=madeira.md")


def test_a_long_document_comes_in_pages(room):
    rows = "".join(f"\n## Room {n}\n\nRoom number {n} has a view of the sea and a balcony.\n" for n in range(1, 121))
    room.node.call("POST", "/v1/knowledge", {"source": "rooms.md", "text": f"# Rooms\n{rows}"})
    page = studio(room, "teach/rooms.md")
    asked = []
    page.on("request", lambda request: "/v1/knowledge/document" in request.url and asked.append(request.url))
    page.locator(".known").nth(49).wait_for()
    assert page.locator(".known").count() == 50
    page.get_by_text("Passages 1 to 50 of 120").wait_for()
    page.get_by_role("button", name="Show 50 more").click()
    page.locator(".known").nth(99).wait_for()
    assert page.evaluate("document.activeElement.dataset.n") == "51", "the keyboard lost its place"
    page.get_by_role("button", name="Show 20 more").click()
    page.locator(".known").nth(119).wait_for()
    assert page.locator(".passages-more button").count() == 0
    assert [re.search(r"after=(\d+)", url)[1] for url in asked] == ["50", "100"], asked
    room.node.call("DELETE", "/v1/knowledge?source=rooms.md")


def test_what_a_page_says_stays_text(room):
    hostile = "# <img src=x onerror=alert(1)>\n\n[here](javascript:alert(1)) <script>alert(2)</script>\n\n| <b>a</b> | b |\n|---|---|\n| <i>1</i> | ![x](http://127.0.0.1:1/x.png) |\n"
    room.node.call("POST", "/v1/knowledge", {"source": "hostile.md", "text": hostile})
    page = studio(room, "teach/hostile.md")
    page.locator(".known table").wait_for()
    found = page.evaluate("[...document.querySelectorAll('.document-page *')].filter(node => /^(img|script|iframe|b|i)$/i.test(node.tagName) || [...node.attributes].some(one => /^on/.test(one.name) || /^javascript:/.test(one.value))).map(node => node.outerHTML)")
    assert not found, found
    room.node.call("DELETE", "/v1/knowledge?source=hostile.md")


def test_a_site_tells_which_bounds_it_met_and_what_was_left_out(room):
    site = Website()
    try:
        site.go_on()
        site.pages |= {"/order": ("Order", ORDER), **{f"/item?id={n}": (f"Item {n}", f"Item number {n} is a cup of its own shape.") for n in range(1, 7)}}
        page = studio(room)
        page.get_by_label("Web address").fill(site.url)
        page.get_by_text("How far to go").click()
        page.get_by_label("Pages at most").fill("5")
        page.get_by_role("button", name="Read the site").click()
        outcome = page.locator(".site-outcome")
        outcome.get_by_text("Learned 5 pages from").wait_for()
        limit = outcome.locator(".limits li")
        assert limit.count() == 1
        said = limit.inner_text()
        assert "The site has more than 5 pages. 7 pages were found and not read." in said and f"http://{site.address}/" in said, said
        # What was left out, by why, with the pages.
        outcome.get_by_text("parts of pages left out").click()
        menus = outcome.locator(".fold", has_text="Menus")
        menus.locator("summary").click()
        assert "nav" in menus.locator("code").inner_text() and "5 parts on 5 pages" in menus.inner_text(), menus.inner_text()
        assert menus.locator(".sort-pages a").count() == 5
        check_axe(page, "report")

        # What to do about it is one press away.
        limit.get_by_role("button", name="Read up to 100 pages").click()
        outcome.get_by_text(re.compile("Learned 6 pages from .* 5 pages were known already")).wait_for()
        assert outcome.locator(".limits").count() == 0
        kept = room.node.call("GET", "/v1/knowledge/sites")["sites"]
        assert [(one["pages_max"], one["pages"]) for one in kept if site.address in one["url"]] == [(100, 11)], kept

        # It can be read again after a reload, where the site stands.
        page.reload()
        group = page.locator("details.group", has_text=site.address)
        group.locator("summary").first.click()
        reading = group.locator(".reading")
        assert "1 page was skipped" in reading.locator("summary").first.inner_text()
        reading.locator("summary").first.click()
        reading.get_by_text("parts of pages left out").last.click()
        forms = reading.locator(".fold", has_text="Forms")
        forms.locator("summary").click()
        assert "form#order" in forms.inner_text(), forms.inner_text()
        forms.get_by_role("link", name="/order").click()

        # The page itself, as it was learned.
        page.get_by_role("heading", name="Order", level=1).wait_for()
        assert page.locator(".document-source a").get_attribute("href") == f"http://{site.address}/order"
        assert "a web page" in page.locator(".document-about").inner_text()
        assert page.locator(".known table tbody tr").all_inner_texts() == ["up to 2 kg\t4.90 €", "up to 5 kg\t6.90 €"]
        assert "Write <b>urgent</b> on it." in page.locator(".document-text").inner_text()
        missing = page.locator(".document-missing")
        names = missing.locator(".fold-name").all_inner_texts()
        assert names == ["Text that nobody sees", "Forms", "Menus"], names
        assert "This offer was for the last summer" not in page.inner_text(".document-text")
        page.get_by_role("link", name="All that was learned").click()
        page.get_by_role("heading", name="Teach", level=1).wait_for()
        assert reading.get_attribute("open") is not None, "what was open is open"
    finally:
        room.node.call("DELETE", f"/v1/knowledge/sites?url={site.url}")
        site.close()


def test_every_bound_is_told_in_plain_words(room):
    """As a node may tell them, also one of a later version."""
    hits = [
        {"kind": kind, "most": most, "limit": "more than that", "passed_over": 3, "example": "https://shop.example/a"}
        for kind, most in [
            ("pages", 2000), ("depth", 5), ("queries", 100), ("addresses", 20000), ("time", 10), ("requests", 450), ("sitemaps", 64),
            ("sitemap_pages", 5000), ("sitemap_time", None), ("sitemap_unread", None), ("moons", 2),
        ]
    ]
    job = {
        "id": "job_" + "0" * 32, "url": "https://shop.example/", "state": "done", "started_at": "2026-11-28T10:00:00Z", "ended_at": "2026-11-28T10:01:00Z",
        "pages_read": 2, "pages_waiting": 0, "pages_skipped": [], "pages_skipped_total": 0, "learned": {"changed": 2, "unchanged": 0, "removed": 0},
        "limits": [{name: value for name, value in hit.items() if value is not None} for hit in hits],
        "left_out": [{"what": "div.moon", "reason": "moonlight", "why": "it shines at night", "parts": 2, "characters": 40, "url": "https://shop.example/a"}],
        "left_out_total": 7,
    }
    room.node.call("POST", "/v1/knowledge", {"source": "https://shop.example/a", "text": "# A\n\nA page of the shop."})
    site = {"url": "https://shop.example/", "pages_max": 2000, "depth_max": 5, "queries_max": 100, "pages": 1, "last": job}
    began = []

    def sites(route):
        if route.request.method == "GET":
            return route.fulfill(json={"sites": [site]})
        began.append(route.request.post_data_json)
        route.fulfill(status=202, json={"job": job["id"]})

    page = studio(room, "try")
    page.route("**/v1/knowledge/sites", sites)
    page.route("**/v1/knowledge/jobs/*", lambda route: route.fulfill(json=job))
    page.get_by_role("link", name="Teach", exact=True).click()
    reading = page.locator("details.group", has_text="shop.example").locator(".reading")
    reading.locator("summary").first.click()
    said = reading.locator(".limits li").all_inner_texts()
    assert len(said) == 11 and all("{" not in one and "limit." not in one and "undefined" not in one for one in said), said
    assert "begin at an address further in" in said[0], "no more pages can be asked for"
    assert "3 pages lie more than 5 links" in said[1] and "3 addresses were passed over: more than that." in said[10], said
    assert [one.inner_text() for one in reading.locator(".limits button").all()] == ["Follow up to 10 links", "Read up to 200 of them"]
    reading.get_by_text("7 parts of pages left out").last.click()
    assert "it shines at night" in reading.inner_text() and "5 more parts are not listed." in reading.inner_text()
    for name, options in {"light": {}, "dark": {"color_scheme": "dark"}}.items():
        page.emulate_media(**options)
        check_axe(page, f"bounds, {name}")
        shot_of_all(room, page, f"studio-bounds-{name}")
    reading.get_by_role("button", name="Follow up to 10 links").click()
    wait_for(lambda: page.wait_for_timeout(20) or began, "the reading")
    assert began == [{"url": "https://shop.example/", "pages_max": 2000, "depth_max": 10, "queries_max": 100}], began
    room.node.call("DELETE", "/v1/knowledge?source=https%3A%2F%2Fshop.example%2Fa")


def test_documents_are_usable_by_all_and_fit(room):
    room.node.call("POST", "/v1/knowledge", {"source": "tarifas.md", "text": RATES})
    site = Website()
    site.go_on()
    site.pages["/order"] = ("Order", ORDER)
    try:
        setup = studio(room)
        setup.get_by_label("Web address").fill(site.url)
        setup.keyboard.press("Enter")
        setup.get_by_text("Learned 5 pages from").wait_for()
        narrow = {"viewport": {"width": 320, "height": 640}}
        for name, options in {"desktop": DESKTOP, "dark": {**DESKTOP, "color_scheme": "dark"}, "phone": {**PHONE, "color_scheme": "dark"}, "narrow": narrow}.items():
            page = studio(room, "teach", **options)
            for place, source in {"file": "tarifas.md", "page": f"http://{site.address}/order"}.items():
                page.evaluate("to => location.hash = '#/teach/' + encodeURIComponent(to)", source)
                page.locator(".document-about").wait_for()
                check_axe(page, f"{name}: {place}")
                wide = page.evaluate("[document.documentElement, document.querySelector('#page')].some(node => node.scrollWidth > node.clientWidth)")
                assert not wide, f"{name}: {place} is wider than the screen"
                shot_of_all(room, page, f"studio-document-{name}-{place}")
            page.get_by_role("link", name="All that was learned").click()
            group = page.locator("details.group", has_text=site.address)
            group.locator("summary").first.click()
            group.locator(".reading > summary").click()
            group.locator(".reading .more > summary", has_text="left out").click()
            for fold in group.locator(".fold > summary").all():
                fold.click()
            check_axe(page, f"{name}: report")
            wide = page.evaluate("[document.documentElement, document.querySelector('#page')].some(node => node.scrollWidth > node.clientWidth)")
            assert not wide, f"{name}: report is wider than the screen"
            shot_of_all(room, page, f"studio-report-{name}")
    finally:
        room.node.call("DELETE", f"/v1/knowledge/sites?url={site.url}")
        room.node.call("DELETE", "/v1/knowledge?source=tarifas.md")
        site.close()
