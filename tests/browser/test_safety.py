"""Nothing that a model, a person or a document says runs, loads or leaves; and none of it is slow."""

from room import conversation, finished, say, text
from node import wait_for

HOSTILE = [
    "<script>window.ran = 1</script>",
    "<img src=x onerror=window.ran=1>",
    "<svg onload=window.ran=1><animate onbegin=window.ran=1 attributeName=x dur=1s>",
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "<a href='javascript:window.ran=1'>one</a> <form action=javascript:window.ran=1><button>go</button></form>",
    "[click](javascript:window.ran=1) [click](JaVaScRiPt:window.ran=1) [click](java\tscript:window.ran=1)",
    "[click](data:text/html,<script>window.ran=1</script>) [click](vbscript:x) [file](file:///etc/passwd) [b](blob:x)",
    "![picture](https://tracker.example/pixel.png) ![x](javascript:window.ran=1) ![a](data:image/svg+xml,<svg/onload=ran=1>)",
    "<https://ok.example/> <javascript:window.ran=1> [rel](//tracker.example/x) [path](/v1/tenant)",
    "[trick](https://bank.example@evil.example/) https://bank.example:x@evil.example/",
    "[a](https://ok.example/\" onmouseover=\"window.ran=1) [a](<https://ok.example/ onclick=window.ran=1>)",
    "[![x](javascript:window.ran=1)](javascript:window.ran=1)",
    "`<img src=x onerror=window.ran=1>`",
    "```html\n<script>window.ran = 1</script>\n```",
    "| a | b |\n|---|---|\n| <img src=x onerror=window.ran=1> | [x](javascript:window.ran=1) |",
    "# <script>window.ran=1</script>\n- <style>*{display:none}</style>\n> <base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'><link rel=stylesheet href=https://evil.example/x.css>",
    "{{constructor.constructor('window.ran=1')()}} ${window.ran=1} <!--<img src=x onerror=window.ran=1>-->",
    "<br onclick=window.ran=1><br/onload=window.ran=1> [x](javascript&#58;window.ran=1) [y](&#106;avascript&colon;window.ran=1)",
    "&lt;script&gt;window.ran=1&lt;/script&gt; &#60;img src=x onerror=window.ran=1&#62;",
    "\u202egnp.exe [\u202ehttps://bank.example](https://evil.example/) \u0000 \ufffd",
]

#: What the page holds that could run or load something, and which links lead where they should not.
INSPECT = """() => {
    const bad = [...document.querySelectorAll('.entries *, .history *, .signs *')].flatMap(element => {
        const named = ['SCRIPT', 'IMG', 'IFRAME', 'OBJECT', 'EMBED', 'LINK', 'META', 'BASE', 'STYLE', 'FORM', 'INPUT', 'VIDEO', 'AUDIO'].includes(element.tagName) ? [element.outerHTML] : [];
        const handlers = [...element.attributes].filter(({name}) => name.startsWith('on') || name === 'srcdoc' || name === 'style').map(({name}) => `${element.tagName} ${name}`);
        return [...named, ...handlers];
    });
    const links = [...document.querySelectorAll('.entries a')].map(a => [a.protocol, a.target, a.rel, a.username]);
    return {bad, links, ran: window.ran ?? null};
}"""


def inspect(page, elsewhere):
    found = page.evaluate(INSPECT)
    assert found["ran"] is None and not found["bad"], found
    for protocol, target, rel, username in found["links"]:
        assert protocol in ("http:", "https:", "mailto:") and target == "_blank" and not username, found["links"]
        assert rel == "noopener noreferrer nofollow"
    assert not elsewhere, elsewhere


def watched(room):
    page = room.page(False)
    elsewhere = []
    page.on("request", lambda request: elsewhere.append(request.url) if not request.url.startswith((room.url, "ws:")) else None)
    page.on("dialog", lambda dialog: elsewhere.append("dialog"))
    page.context.on("page", lambda other: elsewhere.append("window") if other is not page else None)
    page.goto(room.url + "/")
    return page, elsewhere


def test_what_a_model_says_does_not_run(room):
    page, elsewhere = watched(room)
    # So many messages as fast as they are answered pass a visitor's rate: a title in the page's list may be refused.
    room.expected.append("429")
    for count, hostile in enumerate(HOSTILE, 1):
        say(page, "quote " + hostile)
        finished(page, count)
    inspect(page, elsewhere)
    # What a button or a link would do, it does not do either.
    page.evaluate("document.querySelectorAll('.entries [title]').forEach(one => one.dispatchEvent(new MouseEvent('mouseover', {bubbles: true})))")
    inspect(page, elsewhere)
    page.reload()
    finished(page, len(HOSTILE))
    inspect(page, elsewhere)
    assert "<script>window.ran = 1</script>" in text(page, 0), "what was said is shown as it was said"


def test_what_people_and_documents_say_does_not_run(room):
    room.node.call("POST", "/v1/knowledge", {"source": "<img src=x onerror=window.ran=1>.md", "text": "# <script>window.ran=1</script> zebra\n\nZebra crossing <img src=x onerror=window.ran=1> [a](javascript:window.ran=1)"})
    page, elsewhere = watched(room)
    say(page, "quote zebra crossing [1] [2] <img src=x onerror=window.ran=1>")
    finished(page)
    path = f"/v1/conversations/{conversation(page)}"
    name = "<img src=x onerror=window.ran=1>"
    room.node.call("POST", f"{path}/human", {"action": "take", "agent": name})
    for count, hostile in enumerate(HOSTILE, 1):
        room.node.call("POST", f"{path}/messages", {"ref": f"a{count}", "text": hostile.replace("\0", ""), "agent": name})
    wait_for(lambda: page.wait_for_timeout(20) or page.locator(".by-human").count() == len(HOSTILE), "the agent's messages")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.wait_for_timeout(200)
    inspect(page, elsewhere)
    room.node.call("DELETE", "/v1/knowledge?source=%3Cimg%20src%3Dx%20onerror%3Dwindow.ran%3D1%3E.md")


def test_the_policy_forbids_what_is_inline(room):
    answer = room.page().request.get(room.url + "/")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy, policy


def test_hostile_markdown_is_fast(room):
    page = room.page()
    slow = page.evaluate("""async () => {
        const { Markdown } = await import('/web/ui/markdown.js');
        const many = (piece, count) => piece.repeat(count);
        const texts = [
            many('[', 200000), many('*a ', 70000), many('_a', 100000), many('`', 200000), many('` ``', 50000), many('![', 100000),
            many('[a](', 50000), many('> ', 100000), many('- ', 100000), many('  - a\\n', 30000), many('#', 200000), '# ' + many(' ', 200000) + 'x',
            many('|', 200000) + '\\n' + many('|-', 100000), '|-' + many(' ', 200000) + 'x', many('a|b\\n', 50000), many('<https://', 20000),
            many('https://a.b/', 20000), 'https://a.b/' + many('.', 200000) + 'x', many('~~', 100000), many('***', 60000), many('\\\\', 200000),
            many('1. ', 60000), many('\\n', 200000), many('- a\\n\\n', 50000), many('](x)', 50000), many('[a](b "', 30000), many('- - - ', 30000) + 'x',
            many('£1 ', 60000), many('0 0', 60000), many('1:00-', 40000), many('+1 (', 50000), many('1.', 100000), many('12 000 ', 30000), many('&', 200000), many('&amp;', 50000), many('&#1', 60000), many('<br>', 50000), '**' + many('https://a.b/*', 20000), many('_', 12) + many('https://a.b/(_x', 15000), many('[1,', 60000), many('[1, 2]', 30000),
        ];
        const took = text => {
            const began = performance.now();
            new Markdown(document.createElement('div'), {}).update(text);
            return performance.now() - began;
        };
        // How it grows, not how long it takes, so that a busy machine changes little: eight times the
        // text is about eight times the work, and not 64 times.
        return texts.map(text => [text.slice(0, 12), took(text.slice(0, text.length / 8)), took(text)])
            .filter(([, part, whole]) => whole > 2000 && whole > part * 32);
    }""")
    assert not slow, slow


def test_a_reply_that_grows_ends_as_it_would_at_once(room):
    page = room.page()
    differs = page.evaluate("""async () => {
        const { Markdown } = await import('/web/ui/markdown.js');
        const text = 'One **two** _three_ `code` [link](https://a.example/b_(c)) https://x.example/y.\\n\\n## Head\\n1. first\\n2. second\\n   - inner\\n   - more\\n\\n3. third\\n\\n'
            + '| a | b |\\n|---|--:|\\n| 1 | 2 |\\n\\n> quote\\n> on\\n\\n```js\\nlet a = 1;\\n\\nlet b;\\n```\\n* x\\n* y\\n\\n---\\nend ~~gone~~ <https://z.example/> ***both*** snake_case_word 2*3*4\\nnext line';
        const whole = document.createElement('div');
        new Markdown(whole).update(text);
        const grown = document.createElement('div');
        const markdown = new Markdown(grown);
        let kept = 0;
        for (let end = 1; end <= text.length; end += 1) {
            const first = grown.firstChild;
            markdown.update(text.slice(0, end));
            if (first && grown.firstChild === first) kept += 1;
        }
        return {same: whole.innerHTML === grown.innerHTML, whole: whole.innerHTML, grown: grown.innerHTML, kept: kept / text.length};
    }""")
    assert differs["same"], differs
    assert differs["kept"] > 0.6, "the start was built again and again"
    html = differs["whole"]
    for part in ("<strong>two</strong>", "<em>three</em>", "<code dir=\"ltr\">code</code>", "https://a.example/b_(c)", "<s>gone</s>", "snake_case_word", "2*3*4", "<hr>", "<table>", "<strong><em>both</em></strong>"):
        assert part in html, (part, html)
