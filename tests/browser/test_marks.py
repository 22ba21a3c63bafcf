"""Numbers, line breaks, characters and addresses of a reply are shown as they were written."""

#: A reply, and the numbers that a reader sees before its lines.
NUMBERED = [
    ("24. Dezember: zu\n26. Dezember: zu\n1. Januar: zu", [24, 26, 1]),
    ("1. May\n8. May\n25. May", [1, 8, 25]),
    ("12) Ada\n14) Ben\n17) Cem", [12, 14, 17]),
    ("3. c\n2. b\n1. a", [3, 2, 1]),
    ("0. zero\n2. two", [0, 2]),
    ("7. seven\n8. eight", [7, 8]),
    ("1. one\n1. two\n1. three", [1, 2, 3]),
    ("5. five", [5]),
    ("- a\n- b", []),
    ("08. Mai\n25. Mai", [25]),
]

#: A reply, and what stands in it: words, line breaks as `/`, addresses in brackets, tags that matter.
SHOWN = [
    ("One<br>two<br/>three<BR />\nfour", "One/two/three/four"),
    ("| a |\n|---|\n| one<br>two |", "aone/two"),
    ("Fish &amp; chips, 5&nbsp;&euro;, &#8364;6, &#x20AC;7, &Uuml;bung", "Fish & chips, 5\u00a0€, €6, €7, Übung"),
    ("`a<br>b &amp; c`", "a<br>b &amp; c"),
    ("```\na<br>b &amp; c\n```", "a<br>b &amp; c"),
    ("&unknown; &#0; &#xD800; &#1114112; & &amp", "&unknown; &#0; &#xD800; &#1114112; & &amp"),
    ("&lt;b&gt;x&lt;/b&gt; &#42;&#42;y&#42;&#42;", "<b>x</b> **y**"),
    ("+ 34 600 123 456", "+ 34 600 123 456"),
    ("08. Mai: zu", "08. Mai: zu"),
    ("请看https://a.example/path，谢谢。另见https://a.example/b。", "请看{https://a.example/path}，谢谢。另见{https://a.example/b}。"),
    ("»https://a.example/y« and “https://a.example/z”", "»{https://a.example/y}« and “{https://a.example/z}”"),
    ("（https://a.example/y）、「https://a.example/z」", "（{https://a.example/y}）、「{https://a.example/z}」"),
    ("https://a.example/pathをご覧ください", "{https://a.example/path}をご覧ください"),
    ("https://ja.wikipedia.org/wiki/東京、", "{https://ja.wikipedia.org/wiki/東京}、"),
    ("https://de.wikipedia.org/wiki/Köln.", "{https://de.wikipedia.org/wiki/Köln}."),
    ("(https://a.example/b_(c)) https://a.example/b_(c), [https://a.example/d]", "({https://a.example/b_(c)}) {https://a.example/b_(c)}, [{https://a.example/d}]"),
    ("See https://a.example/x. Or https://a.example/y?a=1&b=2!", "See {https://a.example/x}. Or {https://a.example/y?a=1&b=2}!"),
    ("https://a.example/a*b/*c", "{https://a.example/a*b/*c}"),
]
#: The same where only a reply has marks.
MARKED = [
    ("**https://a.example/x**, *https://a.example/y* and __https://a.example/z_a__.", "{https://a.example/x}, {https://a.example/y} and {https://a.example/z_a}."),
    ("[https://a.example/x](https://a.example/x)", "{https://a.example/x}"),
    ("https://a.example/?a=1&amp;b=2&nbsp;now", "{https://a.example/?a=1&b=2}\u00a0now"),
]

READ = """async ([how, texts]) => {
    const { Markdown, plain } = await import('/web/ui/markdown.js');
    const read = (node) => {
        if (node.nodeType === 3) return node.data;
        if (node.tagName === 'BR') return '/';
        const inner = [...node.childNodes].map(read).join('');
        return node.tagName === 'A' ? `{${inner}}` : inner;
    };
    return texts.map(text => {
        const body = document.createElement('div');
        if (how === 'plain') body.append(plain(text)); else new Markdown(body).update(text);
        const counted = [...body.querySelectorAll('ol')].flatMap(list => {
            let n = list.start - 1;
            return [...list.children].map(item => (n = item.hasAttribute('value') ? item.value : n + 1));
        });
        const dead = [...body.querySelectorAll('a')].filter(a => decodeURI(a.href) !== a.textContent).map(a => a.href);
        return { counted, shown: read(body), dead };
    });
}"""


def read(room, rows, how="marked"):
    page = room.page()
    return zip(rows, page.evaluate(READ, [how, [text for text, _ in rows]]))


def test_a_list_has_the_numbers_that_were_written(room):
    for (text, numbers), found in read(room, NUMBERED):
        assert found["counted"] == numbers, (text, found)


def test_breaks_characters_and_addresses_are_shown_as_meant(room):
    for (text, shown), found in read(room, SHOWN + MARKED):
        assert found["shown"] == shown and not found["dead"], (text, found)


def test_an_address_in_a_persons_words_ends_where_it_ends(room):
    addresses = [(text, shown) for text, shown in SHOWN if "https://" in text]
    for (text, shown), found in read(room, addresses, "plain"):
        assert found["shown"] == shown and not found["dead"], (text, found)
