//! Pages, and the text that is kept of them.

use super::*;
use crate::Unreadable;

fn markdown(html: &str) -> String {
    read(html).unwrap().markdown
}

const LONG: &str = "You may send back what you have not used within thirty days of the day on which it was delivered, \
                    and we pay for the parcel. Refunds take up to five working days after it has arrived with us, and \
                    go back to the card or account from which you paid.";

#[test]
fn menus_footers_and_notices_go_and_the_text_stays() {
    let links: String = (0..40).map(|n| format!("<li><a href='/p{n}'>Page {n} of many</a></li>")).collect();
    let page = format!(
        "<!doctype html><html><head><title>Returns | Shop</title><style>p {{}}</style></head><body>
         <header><a href='/'>Shop</a></header><nav><ul>{links}</ul></nav>
         <div class='cookie-consent'>We use cookies. Accept?</div>
         <div class='layout'><div class='side-bar-box'><ul>{links}</ul></div>
         <main><h1>Returns</h1><p>{LONG}</p><h2>How long?</h2><ul><li>Shoes: <b>14</b> days<li>Books<ol><li>new
         <li>old</ol></ul><table><tr><th>Item<th>Days<tr><td>Lamp | desk<td>30</table>
         <p>Mail <a href='mailto:a@b.example'>a@b.example</a><br>or call.</p><pre>let x = 1;\n  let y;</pre>
         <p hidden>secret</p><script>evil()</script></main></div>
         <footer>Imprint, {LONG}</footer></body></html>"
    );
    let read = read(&page).unwrap();
    assert_eq!(read.title.as_deref(), Some("Returns"));
    assert_eq!(
        read.markdown,
        format!(
            "# Returns\n\n{LONG}\n\n## How long?\n\n-   Shoes: 14 days\n-   Books\n    1.  new\n    2.  old\n\n\
             | Item | Days |\n|---|---|\n| Lamp \\| desk | 30 |\n\nMail a@b.example  \nor call.\n\n\
             ```\nlet x = 1;\n  let y;\n```\n"
        )
    );
    assert_eq!(read.links.len(), 1 + 80 + 1, "menus are not text, and lead on all the same");
}

#[test]
fn a_page_without_a_main_element_keeps_its_text() {
    let page = format!("<title>A</title><div id=menu><a href=/x>x</a></div><div class=content><p>{LONG}</div>");
    assert_eq!(markdown(&page), format!("# A\n\n{LONG}\n"));
    // Little text under a strange name is still text.
    assert_eq!(markdown("<div class='banner'>Open from nine to five.</div>"), "Open from nine to five.\n");
    assert_eq!(markdown("<title>Only a title</title><nav><a href=/>x</a></nav>"), "");
}

#[test]
fn words_are_not_taken_for_markup() {
    let page = "<p># not a heading</p><p>1. not a list</p><p>a*b*c _d_ &lt;b&gt; [x](y) `z`</p><p>- nor this";
    assert_eq!(
        markdown(page),
        "\\# not a heading\n\n1\\. not a list\n\na\\*b\\*c \\_d\\_ \\<b> \\[x\\](y) \\`z\\`\n\n\\- nor this\n"
    );
}

#[test]
fn words_above_and_below_the_line_change_no_figure() {
    for (page, expected) in [
        ("<p>Free from €75<sup>1</sup>, else €4.90<sup>2</sup>.", "Free from €75¹, else €4.90²."),
        ("<p>Call 0800 123 45<sup>3</sup>.", "Call 0800 123 45³."),
        ("<p>250 m<sup>2</sup>, 10<sup>6</sup> l, H<sub>2</sub>O, <b>10</b><sup>6</sup>", "250 m², 10⁶ l, H₂O, 10⁶"),
        ("<p>The 1<sup>st</sup>, 1<sup>er</sup> n<sup>o</sup> 5", "The 1st, 1er no 5"),
        ("<p>€200<sup><a href='#f5'>5</a></sup> <b>€75</b><a href='#f1'><sup>12</sup></a>", "€200⁵ €75¹²"),
        ("<p>€120<sup>1)</sup>, 80<sup>*</sup> €, €7<sup>[<a href='#n'>1</a>]</sup>", "€120¹⁾, 80\\* €, €7¹"),
        (
            "<p>Only €19<sup>99</sup> or 20<span style='vertical-align: super'>1</span> pounds",
            "Only €19.99 or 20¹ pounds",
        ),
        (
            "<p>From 4 pm<a epub:type='noteref' href='n.xhtml#n1'>1</a>, at 5<a role=doc-noteref href='#n2'>2</a>.",
            "From 4 pm¹, at 5².",
        ),
        ("<h1>From €75<sup>1</sup></h1><p>Yes.", "# From €75¹\n\nYes."),
        ("<p><sup>1</sup>Not for furniture.", "¹Not for furniture."),
    ] {
        assert_eq!(markdown(page).trim(), expected, "{page}");
    }
    let deep = format!("<p>{}1", "<sup>".repeat(400)).repeat(20);
    assert!(markdown(&deep).contains('¹'));
}

#[test]
fn what_stands_beside_the_text_has_its_own_heading_or_none() {
    for (page, expected) in [
        (
            "<main><h1>Shop</h1><p>Welcome.</p><h2>Delivery</h2><p>In two days.</p><aside><p>The sale ends in May.</p></aside>
             <h2>Returns</h2><p>Free.</p></main>",
            "# Shop\n\nWelcome.\n\nThe sale ends in May.\n\n## Delivery\n\nIn two days.\n\n## Returns\n\nFree.\n",
        ),
        (
            "<h1>Shop</h1><h2>Delivery</h2><p>In two days.</p><aside><h3>Sale</h3><p>It ends in May.</p></aside>",
            "# Shop\n\n## Delivery\n\nIn two days.\n\n## Sale\n\nIt ends in May.\n",
        ),
        (
            "<h2>Delivery</h2><p>In two days.</p><aside role=note>Not on Sundays.</aside><p>By post.</p>",
            "## Delivery\n\nIn two days.\n\nNot on Sundays.\n\nBy post.\n",
        ),
        (
            "<h1>Shop</h1><section><h2>Delivery</h2><p>In two days.</p><aside>Not on Sundays.</aside></section>",
            "# Shop\n\n## Delivery\n\nIn two days.\n\nNot on Sundays.\n",
        ),
        (
            "<main><h1>Sale</h1><p>Everything must go.</p></main><aside><p>The sale ends on Sunday at 5 pm.</p></aside>",
            "# Sale\n\nEverything must go.\n\nThe sale ends on Sunday at 5 pm.\n",
        ),
        (
            "<main><h1>Sale</h1><p>Everything must go.</p></main><aside><p>Call 030 1234567 now.</p></aside>",
            "# Sale\n\nEverything must go.\n\n## Contact\n\nCall 030 1234567 now.\n",
        ),
    ] {
        assert_eq!(markdown(page), expected, "{page}");
    }
}

#[test]
fn a_page_says_what_it_wants() {
    let page = read(
        "<base href='/docs/'><link rel=canonical href='https://x.example/a'><meta name=ROBOTS content='noindex, follow'>
         <a href='b'>b</a><a href='c' rel='nofollow noopener'>c</a><p>text</p>",
    )
    .unwrap();
    assert_eq!((page.base.as_deref(), page.canonical.as_deref()), (Some("/docs/"), Some("https://x.example/a")));
    assert!(page.noindex && !page.nofollow && page.markdown.is_empty());
    assert_eq!(page.links, ["b"]);
    let none = read("<meta name=robots content=none><a href=b>b</a>").unwrap();
    assert!(none.noindex && none.nofollow && none.links.is_empty());
}

#[test]
fn a_deep_page_is_refused_and_a_broken_one_is_read() {
    assert_eq!(read(&"<div>".repeat(3_000)).unwrap_err(), Unreadable::TooDeep);
    assert_eq!(read(&"<div>".repeat(1_000_000)).unwrap_err(), Unreadable::TooDeep);
    assert_eq!(read(&format!("<svg>{}", "<path>".repeat(10_000))).unwrap_err(), Unreadable::TooDeep);
    assert_eq!(read(&format!("<svg><div>{}", "<path/>".repeat(10_000))).unwrap_err(), Unreadable::TooDeep);
    let drawing = format!("<p>a</p><svg><g>{}</g></svg><p>b</p>", "<path d='M0 0'/>".repeat(20_000));
    assert_eq!(markdown(&drawing), "a\n\nb\n");
    assert_eq!(markdown(&"<p>a<br><li>b".repeat(10_000)).matches('b').count(), 10_000);
    assert_eq!(markdown("<p>a<table><tr><td>b</b></i><p>c<li>d"), "a\n\nb\n\nc\n\nd\n");
}
