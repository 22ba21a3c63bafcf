//! Documents made to be hard to read: each is a shape that grows with the size asked for, so that what it
//! costs can be set against its size. Made here, byte by byte; none is anybody's own.

use std::fmt::Write as _;

use engine_documents::Kind;
use tokio::sync::oneshot;

use crate::packed::{archive, docx, docx_of, epub, odt, pptx};

/// A shape of document.
pub struct Shape {
    /// What is wrong with it.
    pub name: &'static str,
    /// What it says it is.
    pub kind: Kind,
    /// One of about so many bytes.
    pub of_size: fn(usize) -> Vec<u8>,
}

const fn shape(kind: Kind, name: &'static str, of_size: fn(usize) -> Vec<u8>) -> Shape {
    Shape { name, kind, of_size }
}

/// Every shape whose cost is counted while it is read.
pub const SHAPES: &[Shape] = &[
    // Honest ones, to compare with.
    shape(Kind::Html, "a plain page", |size| html(size, "<p>Lamps are <b>made</b> by hand.</p>\n")),
    shape(Kind::Docx, "plain paragraphs", |size| docx(&repeated(size * 8, PARAGRAPH))),
    shape(Kind::Markdown, "a plain guide", |size| {
        repeated(size, "## Lamps\n\nLamps are *made* by hand. They last.\n\n- a lamp\n- a shade\n\n").into()
    }),
    shape(Kind::Text, "plain lines", |size| repeated(size, "Lamps are made by hand. They last for years.\n\n").into()),
    // As much in one paragraph, table or quote as there is text.
    shape(Kind::Text, "lines of a letter", |size| repeated(size, "a\n").into()),
    shape(Kind::Text, "lines of pipes", |size| repeated(size, "a|b|c\n").into()),
    shape(Kind::Text, "lines of tabs", |size| repeated(size, "a\tb\n").into()),
    shape(Kind::Markdown, "lines of a letter", |size| repeated(size, "a\n").into()),
    shape(Kind::Markdown, "quotes within quotes", |size| repeated(size, ">").into()),
    shape(Kind::Pdf, "plain lines on pages", |size| pdf(&lines(size), &[], 8)),
    // One tag.
    shape(Kind::Html, "attributes on one tag", |size| [b"<p".to_vec(), attributes(size), b">x".to_vec()].concat()),
    shape(Kind::Html, "attributes on an end tag", |size| [b"x</p".to_vec(), attributes(size), b">".to_vec()].concat()),
    shape(Kind::Html, "a tag without an end", |size| [b"x<p".to_vec(), attributes(size)].concat()),
    shape(Kind::Html, "attributes in a drawing's style", |size| {
        [b"<svg><style><p".to_vec(), attributes(size), b">x".to_vec()].concat()
    }),
    shape(Kind::Html, "attributes for the body, one by one", |size| {
        counted(size, |n| format!("<body a{n}=1>")).into_bytes()
    }),
    shape(Kind::Html, "one attribute a megabyte long", |size| {
        format!("<p title=\"{}\">x", repeated(size, "word ")).into_bytes()
    }),
    // Nesting.
    shape(Kind::Html, "blocks within blocks", |size| html(size, "<div>")),
    shape(Kind::Html, "what needs no end, within itself", |size| html(size, "<rt>")),
    shape(Kind::Html, "groups within groups", |size| html(size, "<optgroup>")),
    shape(Kind::Html, "groups of a choice, within blocks", |size| html(size, &format!("{}<p>", "<div>".repeat(300)))),
    shape(Kind::Html, "drawings within drawings", |size| html(size, "<svg><g>")),
    shape(Kind::Html, "templates within templates", |size| html(size, "<template>")),
    shape(Kind::Html, "many paragraphs within 500 blocks", |size| {
        format!("{}{}", "<div>".repeat(450), repeated(size, "<p>x")).into_bytes()
    }),
    shape(Kind::Html, "headers within headers, each looked through", |size| {
        format!("{}{}", "<header class=nav>".repeat(400), repeated(size, "<i>x</i>")).into_bytes()
    }),
    shape(Kind::Html, "terms within terms", |size| {
        format!("{}{}", "<div><summary>".repeat(200), repeated(size, "<i>x</i>")).into_bytes()
    }),
    // Mis-nested.
    shape(Kind::Html, "bold across paragraphs", |size| html(size, "<b><p>x")),
    shape(Kind::Html, "links across blocks", |size| html(size, "<a href=x><div>x</a>")),
    shape(Kind::Html, "many fonts, then many paragraphs", |size| {
        let fonts = counted((size / 4).min(1 << 14), |n| format!("<font color=c{n}>"));
        format!("<p>{fonts}{}", repeated(size, "</p><p>x")).into_bytes()
    }),
    shape(Kind::Html, "fonts opened and never closed", |size| {
        counted(size, |n| format!("<p><font color=c{n}>x</p>")).into_bytes()
    }),
    shape(Kind::Html, "formatting closed the wrong way round", |size| html(size, "<b><i><u><p>x</b></i></u></p>")),
    shape(Kind::Html, "end tags of nothing", |size| html(size, "</b></p></i></x>")),
    // Tables.
    shape(Kind::Html, "text put before its table", |size| format!("<table>{}", repeated(size, "x<b>y</b><tr>")).into()),
    shape(Kind::Html, "tables within tables", |size| html(size, "<table><tr><td>x")),
    shape(Kind::Html, "a table of many columns", |size| {
        format!("<table><tr>{}<tr><td>x</table>", repeated(size, "<td>x")).into()
    }),
    shape(Kind::Html, "a table of many rows", |size| {
        format!("<table><tr>{}{}", "<td>x".repeat(64), repeated(size, "<tr><td>x")).into()
    }),
    shape(Kind::Html, "a cell over all rows, and one over all columns", |size| {
        let wide = "<td colspan=64>".to_owned() + &"w".repeat(200);
        format!("<table><tr><td rowspan=60000>{}<td>x{}", "r".repeat(200), repeated(size, &format!("<tr>{wide}")))
            .into()
    }),
    shape(Kind::Html, "groups of a table with a wide head", |size| {
        let head = "<th>a long head for a column".repeat(64);
        format!("<table><tr>{head}{}", repeated(size, "<tr><td colspan=64>g<tr><td>x<td>y")).into()
    }),
    // Titles, hidden parts, labels.
    shape(Kind::Html, "hidden parts below headings", |size| html(size, "<h3>x</h3><div hidden>y</div>")),
    shape(Kind::Html, "hidden parts side by side", |size| html(size, "<p hidden class=a>x</p>")),
    shape(Kind::Html, "hidden parts within each other", |size| {
        format!("{}{}", "<div hidden id=a aria-controls=a role=tabpanel>".repeat(300), repeated(size, "<i>x</i>"))
            .into()
    }),
    shape(Kind::Html, "parts hidden from readers, within each other", |size| {
        format!("{}{}", "<div><p>x</p><div aria-hidden=true>".repeat(150), repeated(size, "<i>x</i>")).into()
    }),
    shape(Kind::Html, "one title for many parts", |size| {
        format!("<button id=t>{}</button>{}", "t".repeat(150), repeated(size, "<p role=region aria-labelledby=t>x</p>"))
            .into()
    }),
    shape(Kind::Html, "many titles for one part", |size| {
        format!("<div id=p>x</div>{}", repeated(size, "<button aria-controls=p>y</button>")).into()
    }),
    shape(Kind::Html, "panels within panels", |size| {
        let panels: String =
            (0..200).map(|n| format!("<button aria-controls=p{n}>t{n}</button><div id=p{n}>")).collect();
        format!("{panels}{}", repeated(size, "<p>x</p>")).into()
    }),
    shape(Kind::Html, "questions within answers", |size| {
        format!("{}{}", "<div><div>Why?</div><div>".repeat(150), repeated(size, "<p>x</p>")).into()
    }),
    shape(Kind::Html, "details within details", |size| {
        format!("{}{}", "<details><summary>t</summary>".repeat(300), repeated(size, "<p>x</p>")).into()
    }),
    shape(Kind::Html, "tabs by their places", |size| {
        html(size, "<ul><li>a<li>b</ul><div><div class=p>x</div><div class=p hidden>y</div></div>")
    }),
    shape(Kind::Html, "rows of labels and values", |size| html(size, "<div><div>Regina</div><div>9.50</div></div>")),
    shape(Kind::Html, "rows within rows", |size| {
        format!("{}{}", "<div><div>a</div>".repeat(300), repeated(size, "<div>9</div>")).into()
    }),
    shape(Kind::Html, "terms and definitions in one list", |size| {
        format!("<dl>{}</dl>", repeated(size, "<dt>t<dd>d 9")).into()
    }),
    shape(Kind::Html, "terms of one definition", |size| format!("<dl>{}<dd>d</dl>", repeated(size, "<dt>t")).into()),
    shape(Kind::Html, "lists of definitions within each other", |size| {
        format!("{}{}", "<dl><dt>t<dd>".repeat(150), repeated(size, "<p>x</p>")).into()
    }),
    shape(Kind::Html, "lines in one paragraph", |size| format!("<p>{}", repeated(size, "Mon 9<br>")).into()),
    shape(Kind::Html, "bold lines in one paragraph", |size| {
        format!("<p>{}", repeated(size, "<b>Summer</b><br>Mon 9<br>")).into()
    }),
    shape(Kind::Html, "bold paragraphs", |size| html(size, "<p><b>x y</b></p>")),
    shape(Kind::Html, "cards with late headings, within each other", |size| {
        format!("{}{}", "<div><div>9<h3>t</h3></div><div>9<h3>t</h3></div>".repeat(150), repeated(size, "<p>x</p>"))
            .into()
    }),
    shape(Kind::Html, "small digits behind digits", |size| format!("<p>{}", repeated(size, "9<sup>99</sup>")).into()),
    shape(Kind::Html, "words side by side", |size| format!("<p>{}", repeated(size, "<b>ab</b><i>cd</i>")).into()),
    shape(Kind::Html, "feet within feet", |size| {
        format!("<p>x</p>{}{}", "<footer><div>".repeat(150), repeated(size, "<p>a@b.example</p>")).into()
    }),
    shape(Kind::Html, "a foot of facts", |size| {
        format!("<p>x</p><footer>{}</footer>", counted(size, |n| format!("<p>+34 555 {n}</p>"))).into()
    }),
    shape(Kind::Html, "one digit after the other", |size| format!("<p>{}", repeated(size, "1 ")).into()),
    shape(Kind::Html, "statements of nothing", |size| {
        format!("<p>x</p>{}", repeated(size, "<script type='application/ld+json'>{\"@type\":\"Store\"}</script>"))
            .into()
    }),
    shape(Kind::Html, "one long statement", |size| {
        let goods =
            counted(size, |n| format!("{{\"@type\":\"Product\",\"name\":\"a{n}\",\"offers\":{{\"price\":{n}}}}},"));
        format!("<p>x</p><script type='application/ld+json'>[{goods}null]</script>").into()
    }),
    shape(Kind::Html, "lists within a statement", |size| {
        format!("<p>x</p><script type='application/ld+json'>{}</script>", repeated(size, "[")).into()
    }),
    shape(Kind::Html, "encodings without an end", |size| {
        [repeated(size, "<meta charset=x a='<!--").as_bytes(), b"\xff"].concat()
    }),
    // Letters.
    shape(Kind::Html, "references to letters", |size| html(size, "&CounterClockwiseContourIntegral;&amp&#x41")),
    shape(Kind::Html, "comments without an end", |size| html(size, "<!--<p a b c")),
    shape(Kind::Html, "angle brackets", |size| html(size, "<")),
    shape(Kind::Html, "a script of comparisons", |size| {
        format!("<p>x<script>{}</script>", repeated(size, "if(a<b &&\nc) d(e, f);\n")).into()
    }),
    shape(Kind::Html, "things within things, and their values", |size| {
        let things = "<div itemscope itemtype=x/Product itemprop=offers>".repeat(300);
        format!("{things}{}", repeated(size, "<i itemprop=price content=9.50>x</i>")).into()
    }),
    shape(Kind::Html, "what is stated, set against what is shown", |size| {
        let stated = counted(40_000, |n| {
            format!(r#"{{"@type":"Product","name":"Lamp","telephone":"+44 20 {n}","offers":{{"price":{n}}}}},"#)
        });
        let shown = counted(size, |n| format!("Lamp 0{n}0 7946 at {n}.50 EUR, "));
        format!("<script type='application/ld+json'>[{}]</script><p>{shown}", stated.trim_end_matches(',')).into()
    }),
    shape(Kind::Html, "groups of rows below a long title", |size| {
        let title = repeated(size / 4, "word ");
        let rows = repeated(size, "<tr><th colspan=2>x<tr><td>a<td>b");
        format!("<table><caption>{title}</caption><tr><th>A<th>B{rows}</table>").into()
    }),
    shape(Kind::Html, "choices that show their answer", |size| {
        let body = repeated(size, "<option>x</option>");
        format!("<select><button><selectedcontent></selectedcontent></button>{body}</select>").into()
    }),
    // DOCX.
    shape(Kind::Docx, "attributes on one element", |size| {
        let many = counted(size * 8, |n| format!(" a{n}=\"1\""));
        docx(&format!("<w:p><w:pPr><w:pStyle{many} w:val=\"x\"/></w:pPr><w:r><w:t>x</w:t></w:r></w:p>"))
    }),
    shape(Kind::Docx, "elements within elements", |size| docx(&repeated(size * 8, "<w:sdt>"))),
    shape(Kind::Docx, "a bomb", |size| docx(&" ".repeat(size * 500))),
    shape(Kind::Docx, "a bomb of paragraphs", |size| docx(&PARAGRAPH.repeat(size * 200 / PARAGRAPH.len()))),
    shape(Kind::Docx, "a table of many rows", |size| {
        let cell = "<w:tc><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc>";
        let head = format!("<w:tr>{}</w:tr>", cell.repeat(64));
        docx(&format!("<w:tbl>{head}{}</w:tbl>", repeated(size * 8, "<w:tr><w:tc></w:tc><w:tc>x</w:tc></w:tr>")))
    }),
    shape(Kind::Docx, "entities of its own", |size| {
        let own = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
        docx_of(&format!("{own}<w:document><w:p><w:t>{}</w:t></w:p></w:document>", repeated(size * 8, "&b;")))
    }),
    shape(Kind::Docx, "many parts", |size| {
        let names: Vec<String> = (0..size / 120).map(|n| format!("p{n}")).collect();
        let document = ("word/document.xml", &b"<w:document><w:p><w:r><w:t>x</w:t></w:r></w:p></w:document>"[..]);
        archive(names.iter().map(|name| (name.as_str(), &b"x"[..])).chain([document]))
    }),
    // Presentations.
    shape(Kind::Pptx, "boxes of text", |size| pptx(&repeated(size * 4, BOX), 1)),
    shape(Kind::Pptx, "boxes of nothing", |size| pptx(&repeated(size * 4, "<p:sp></p:sp>"), 1)),
    shape(Kind::Pptx, "groups within groups", |size| pptx(&repeated(size * 4, "<p:grpSp>"), 1)),
    shape(Kind::Pptx, "one slide many times", |size| pptx(&repeated(size, BOX), size / 4)),
    shape(Kind::Pptx, "one diagram many times", |size| pptx(&repeated(size * 4, "<x:relIds r:dm=\"a\"/>"), 1)),
    shape(Kind::Pptx, "a cell over many rows", |size| {
        let row = "<a:tr><a:tc vMerge=\"1\"></a:tc><a:tc><a:p><a:r><a:t>x</a:t></a:r></a:p></a:tc></a:tr>";
        let words = repeated(size / 2, "word ");
        let head = format!("<a:tr><a:tc><a:p><a:r><a:t>{words}</a:t></a:r></a:p></a:tc><a:tc></a:tc></a:tr>");
        pptx(&format!("<a:tbl>{head}{}</a:tbl>", repeated(size * 4, row)), 1)
    }),
    // Open documents.
    shape(Kind::Odt, "plain paragraphs", |size| odt(&repeated(size * 4, "<text:p>Lamps are made by hand.</text:p>"))),
    shape(Kind::Odt, "lists within lists", |size| odt(&repeated(size * 4, "<text:list><text:list-item>"))),
    shape(Kind::Odt, "words within words", |size| odt(&format!("<text:p>{}", repeated(size * 4, "<text:span>")))),
    shape(Kind::Odt, "boxes within boxes", |size| odt(&repeated(size * 4, "<draw:text-box><text:p>x</text:p>"))),
    shape(Kind::Odt, "cells that repeat", |size| {
        let cell = "<table:table-cell table:number-columns-repeated=\"9999\"><text:p>x</text:p></table:table-cell>";
        let row = format!("<table:table-row>{cell}</table:table-row>");
        odt(&format!("<table:table>{}</table:table>", repeated(size * 4, &row)))
    }),
    shape(Kind::Odt, "styles on each other in a ring", |size| {
        let ring = "<style:style style:name=\"a\" style:family=\"paragraph\" style:parent-style-name=\"a\"/>";
        let words = repeated(size * 4, "<text:p text:style-name=\"a\">x</text:p>");
        odt(&format!("<office:automatic-styles>{ring}</office:automatic-styles>{words}"))
    }),
    // Books.
    shape(Kind::Epub, "plain paragraphs", |size| epub(&repeated(size * 4, "<p>Lamps are <b>made</b> by hand.</p>"), 1)),
    shape(Kind::Epub, "tags that end themselves", |size| epub(&repeated(size * 4, "<i/>"), 1)),
    shape(Kind::Epub, "signs that open nothing", |size| epub(&repeated(size * 4, "< <!-"), 1)),
    shape(Kind::Epub, "one chapter many times", |size| epub(&repeated(size, "<p>x</p>"), size / 4)),
    shape(Kind::Epub, "headings and code without an end", |size| {
        epub(&repeated(size * 4, "<h1>x</h1><pre>```</pre>"), 1)
    }),
    // Sheets.
    shape(Kind::Csv, "plain rows", |size| repeated(size, "Lamp,30 days,5 EUR\n").into()),
    shape(Kind::Csv, "rows of nothing", |size| repeated(size, ",,,,\n").into()),
    shape(Kind::Csv, "one row", |size| repeated(size, "a,").into()),
    shape(Kind::Csv, "a quotation without an end", |size| format!("\"{}", repeated(size, "a,b\n")).into()),
    shape(Kind::Csv, "one wide row and many of one value", |size| {
        format!("{}\n{}", "a;".repeat(64), repeated(size, "a\n")).into()
    }),
    // PDF.
    shape(Kind::Pdf, "one content on every page", |size| pdf(&lines(size), &[], (size / 2_000).max(8))),
    shape(Kind::Pdf, "short lines on one page", |size| {
        pdf(&format!("BT /F1 9 Tf\n{}ET", repeated(size, "0 -9 Td (x) Tj\n")), &[], 1)
    }),
    shape(Kind::Pdf, "graphics states without an end", |size| pdf(&repeated(size, "q "), &[], 1)),
    shape(Kind::Pdf, "arrays within arrays", |size| pdf(&repeated(size, "["), &[], 1)),
    shape(Kind::Pdf, "pages within each other", |_| pages_in_a_ring()),
    // Markdown.
    shape(Kind::Markdown, "opening brackets", |size| repeated(size, "[").into()),
    shape(Kind::Markdown, "brackets and brackets", |size| repeated(size, "[]").into()),
    shape(Kind::Markdown, "links without an end", |size| repeated(size, "[a](").into()),
    shape(Kind::Markdown, "links in pointed brackets", |size| repeated(size, "[a](<").into()),
    shape(Kind::Markdown, "pictures without an end", |size| repeated(size, "![").into()),
    shape(Kind::Markdown, "references of references", |size| repeated(size, "[a][b").into()),
    shape(Kind::Markdown, "one reference, used and used", |size| {
        format!("[a]: {}\n\n{}", "u".repeat(size / 2), repeated(size / 2, "[a] ")).into()
    }),
    shape(Kind::Markdown, "references that are named alike", |size| {
        counted(size, |n| format!("[a{n}]: /u\n")).into_bytes()
    }),
    shape(Kind::Markdown, "stars", |size| repeated(size, "*").into()),
    shape(Kind::Markdown, "stars that open", |size| repeated(size, "*a ").into()),
    shape(Kind::Markdown, "stars that open and close", |size| repeated(size, "**x*x ").into()),
    shape(Kind::Markdown, "stars and lines", |size| repeated(size, "*a _a ").into()),
    shape(Kind::Markdown, "strikes", |size| repeated(size, "~a ~~b ").into()),
    shape(Kind::Markdown, "backticks", |size| repeated(size, "`").into()),
    shape(Kind::Markdown, "backticks of every length", |size| {
        let mut text = String::new();
        for n in 1.. {
            if text.len() > size {
                break;
            }
            text.push_str(&"`".repeat(n));
            text.push('a');
        }
        text.into()
    }),
    shape(Kind::Markdown, "quotes within quotes", |size| repeated(size, ">").into()),
    shape(Kind::Markdown, "quotes within quotes, line by line", |size| {
        let deep = ">".repeat(1_000);
        format!("{deep}x\n{}", repeated(size, "x\n")).into()
    }),
    shape(Kind::Markdown, "lists within lists on one line", |size| repeated(size, "- ").into()),
    shape(Kind::Markdown, "lists within lists", |size| {
        let mut text = String::new();
        for n in 0.. {
            if text.len() > size {
                break;
            }
            let _ = writeln!(text, "{}- x", " ".repeat(2 * (n % 500)));
        }
        text.into()
    }),
    shape(Kind::Markdown, "a table of many columns", |size| {
        let columns = size / 8;
        format!("|{}\n|{}\n{}", "a|".repeat(columns), "-|".repeat(columns), repeated(size / 2, "|\n")).into()
    }),
    shape(Kind::Markdown, "comments without an end", |size| repeated(size, "a <!-- ").into()),
    shape(Kind::Markdown, "tags without an end", |size| repeated(size, "a <a ").into()),
    shape(Kind::Markdown, "tags with attributes without an end", |size| repeated(size, "<a b='").into()),
    shape(Kind::Markdown, "instructions without an end", |size| repeated(size, "a <? ").into()),
    shape(Kind::Markdown, "declarations without an end", |size| repeated(size, "a <!A ").into()),
    shape(Kind::Markdown, "data without an end", |size| repeated(size, "a <![CDATA[ ").into()),
    shape(Kind::Markdown, "markup lines", |size| repeated(size, "<div>\n").into()),
    shape(Kind::Markdown, "markup within one block", |size| {
        format!("<div>\n{}", repeated(size, "<b <!-- &am ")).into()
    }),
    shape(Kind::Markdown, "footnotes", |size| counted(size, |n| format!("[^{n}]: x\n")).into_bytes()),
    shape(Kind::Markdown, "footnotes that are used", |size| repeated(size, "[^a] ").into()),
    shape(Kind::Markdown, "headings under headings", |size| {
        repeated(size, "# a\n## b\n### c\n#### d\n##### e\n###### f\n").into()
    }),
    shape(Kind::Markdown, "letters by their names", |size| repeated(size, "&amp;&am&#1").into()),
    shape(Kind::Markdown, "addresses", |size| repeated(size, "<a@").into()),
    shape(Kind::Markdown, "backslashes", |size| repeated(size, "\\").into()),
    // Text, and what cuts it into sentences.
    shape(Kind::Text, "one word", |size| repeated(size, "a").into()),
    shape(Kind::Text, "one line of dots", |size| repeated(size, ". ").into()),
    shape(Kind::Text, "short forms behind white space", |size| {
        format!("Foo.{}{}", " ".repeat(size / 2), repeated(size / 2, "E.g. ")).into()
    }),
    shape(Kind::Text, "numbers behind white space", |size| {
        format!("Foo.{}{}", "\u{a0}".repeat(size / 4), repeated(size / 2, "A. 1. ")).into()
    }),
    shape(Kind::Text, "white space", |size| repeated(size, " ").into()),
    shape(Kind::Text, "dots before white space", |size| repeated(size, ".         \n \t").into()),
    shape(Kind::Text, "rows that are no table", |size| repeated(size, "a | b | c\na | b\n").into()),
    shape(Kind::Text, "columns that do not meet", |size| repeated(size, "a   b    c\nabc  d\n").into()),
    shape(Kind::Text, "rules without rows", |size| repeated(size, "+--+\n").into()),
    shape(Kind::Text, "a row of many cells", |size| {
        format!("{}\n{}", repeated(size, "a|"), repeated(size, "a|")).into()
    }),
    shape(Kind::Text, "items and items", |size| repeated(size, "1. x\n (a) y\n").into()),
    shape(Kind::Text, "short lines", |size| repeated(size, "A b\n").into()),
    shape(Kind::Text, "empty lines", |size| format!("x{}", repeated(size, "\n")).into()),
];

/// A document of a few hundred bytes that would take for ever: only the end of its reader ends it.
#[must_use]
pub fn endless() -> Vec<u8> {
    let forms: Vec<String> = (1..=16).map(|n| format!("/X{n} Do ").repeat(8)).chain(["q Q".to_owned()]).collect();
    pdf("/X0 Do", &forms, 1)
}

/// A body that begins with so many bytes and then never goes on, and word of when those were taken.
#[must_use]
pub fn stalled(bytes: usize) -> (reqwest::Body, Sent) {
    let (told, sent) = oneshot::channel();
    let body = async_stream::stream! {
        yield Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b'x'; bytes]));
        // Asked for more: what came before is on its way.
        let _ = told.send(());
        std::future::pending::<()>().await;
    };
    (reqwest::Body::wrap_stream(body), Sent(Some(sent)))
}

/// Word of when a body has come to where it stalls.
pub struct Sent(Option<oneshot::Receiver<()>>);

impl Sent {
    /// Waits for it.
    pub async fn sent(&mut self) {
        if let Some(sent) = self.0.take() {
            let _ = sent.await;
        }
    }
}

const BOX: &str = "<p:sp><p:txBody><a:p><a:r><a:t>Lamps are made by hand.</a:t></a:r></a:p></p:txBody></p:sp>";
const PARAGRAPH: &str = "<w:p><w:r><w:t>Lamps are made by hand.</w:t></w:r></w:p>";

fn repeated(size: usize, unit: &str) -> String {
    unit.repeat((size / unit.len()).max(1))
}

fn html(size: usize, unit: &str) -> Vec<u8> {
    format!("<!doctype html><title>x</title><p>x{}", repeated(size, unit)).into_bytes()
}

/// Pieces with their numbers.
fn counted(size: usize, unit: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for n in 0.. {
        if text.len() >= size {
            break;
        }
        text.push_str(&unit(n));
    }
    text
}

fn attributes(size: usize) -> Vec<u8> {
    counted(size, |n| format!(" a{n}=1")).into_bytes()
}

fn lines(size: usize) -> String {
    format!("BT /F1 12 Tf 40 800 Td\n{}ET", repeated(size, "0 -14 Td (Lamps are made by hand.) Tj\n"))
}

/// So many pages that all show one content, which may draw the forms `X0`, `X1` and so on.
fn pdf(content: &str, forms: &[String], pages: usize) -> Vec<u8> {
    let mut objects: Vec<String> = Vec::new();
    let drawn: String = (0..forms.len()).map(|n| format!("/X{n} {} 0 R ", 5 + n)).collect();
    let resources = format!("<</Font<</F1 3 0 R>>/XObject<<{drawn}>>>>");
    let first_page = 5 + forms.len();
    let kids: String = (0..pages).map(|n| format!("{} 0 R ", first_page + n)).collect();
    objects.push("<</Type/Catalog/Pages 2 0 R>>".into());
    objects.push(format!("<</Type/Pages/Count {pages}/Kids[{kids}]/MediaBox[0 0 600 850]>>"));
    objects.push("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".into());
    objects.push(format!("<</Length {}>>stream\n{content}\nendstream", content.len()));
    for form in forms {
        let head = format!("/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources {resources}/Length {}", form.len());
        objects.push(format!("<<{head}>>stream\n{form}\nendstream"));
    }
    for _ in 0..pages {
        objects.push(format!("<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources {resources}>>"));
    }
    file_of(&objects)
}

/// A tree of pages that leads into itself, upwards and downwards.
fn pages_in_a_ring() -> Vec<u8> {
    file_of(&[
        "<</Type/Catalog/Pages 2 0 R>>".into(),
        "<</Type/Pages/Count 9/Parent 3 0 R/Kids[3 0 R 4 0 R 3 0 R]>>".into(),
        "<</Type/Pages/Count 9/Parent 2 0 R/Kids[2 0 R 4 0 R 2 0 R]>>".into(),
        "<</Type/Page/Parent 3 0 R/Contents 5 0 R>>".into(),
        "5 0 R".into(),
    ])
}

fn file_of(objects: &[String]) -> Vec<u8> {
    let mut file = String::from("%PDF-1.4\n");
    let mut places = Vec::new();
    for (n, object) in objects.iter().enumerate() {
        places.push(file.len());
        let _ = write!(file, "{} 0 obj\n{object}\nendobj\n", n + 1);
    }
    let table = file.len();
    let _ = write!(file, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for place in places {
        let _ = writeln!(file, "{place:010} 00000 n ");
    }
    let _ = write!(file, "trailer<</Size {}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1);
    file.into_bytes()
}
