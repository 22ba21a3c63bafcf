//! Documents made here, part by part, and one as a program writes it.

use super::*;
use crate::archives::archive;
use crate::package::{DEPTH_MAX, INFLATED_BYTES_FREE};

const HOUSE_RULES: &[u8] = include_bytes!("../../../tests/fixtures/documents/house-rules.odt");
const TYPE: (&str, &[u8]) = ("mimetype", b"application/vnd.oasis.opendocument.text");

fn odt(text: &str) -> Vec<u8> {
    let styles = "<office:automatic-styles>\
        <style:style style:name=\"P1\" style:family=\"paragraph\" style:parent-style-name=\"Title\"/>\
        <style:style style:name=\"P2\" style:family=\"paragraph\" style:parent-style-name=\"Heading_20_2\"/>\
        <style:style style:name=\"P3\" style:family=\"paragraph\"><style:text-properties text:display=\"none\"/></style:style>\
        <style:style style:name=\"T1\" style:family=\"text\"><style:text-properties style:text-line-through-style=\"solid\"/></style:style>\
        <style:style style:name=\"T2\" style:family=\"text\" style:parent-style-name=\"T1\"><style:text-properties style:text-line-through-style=\"none\"/></style:style>\
        <style:style style:name=\"T3\" style:family=\"text\"><style:text-properties style:text-position=\"super 58%\"/></style:style>\
        <style:style style:name=\"T4\" style:family=\"text\"><style:text-properties style:text-position=\"-33% 58%\"/></style:style>\
        </office:automatic-styles>";
    let content = format!(
        "<office:document-content>{styles}<office:body><office:text>{text}</office:text></office:body></office:document-content>"
    );
    archive(&[TYPE, ("content.xml", content.as_bytes())])
}

fn markdown(text: &str) -> String {
    read(&odt(text)).unwrap().markdown
}

#[test]
fn a_document_as_a_program_writes_it() {
    let page = read(HOUSE_RULES).unwrap();
    assert_eq!(page.title.as_deref(), Some("House rules of the lamp workshop"));
    assert_eq!(
        page.markdown,
        "# House rules of the lamp workshop\n\n## Safety\n\nGoggles are worn at every bench, also by visitors.\n\n\
         Visitors get a pair at the desk.\n\n## What may I bring?\n\n-   Own lamps\n    -   up to 40 watts\n-   Own tools\n\n\
         ### Fees\n\nA day at the bench costs 16 euros.\n\n| Bench | Per hour |\n|---|---|\n| Wood | 4 euros |\n| Metal | 7 euros |\n"
    );
    assert_eq!(Kind::of(None, "x", HOUSE_RULES), Some(Kind::Odt));
}

#[test]
fn words_that_are_shown_are_kept_once_and_in_order() {
    let item = |words: &str| format!("<text:list-item>{words}</text:list-item>");
    let p = |words: &str| format!("<text:p>{words}</text:p>");
    for (name, text, expected) in [
        (
            "styles",
            "<text:p text:style-name=\"P1\">Guide</text:p><text:p text:style-name=\"P2\">Fees</text:p>x".into(),
            "# Guide\n\n### Fees\n",
        ),
        ("blanks", p("A<text:s text:c=\"900000000\"/>b<text:tab/>c<text:line-break/>d &amp; e"), "A b c  \nd \\& e\n"),
        (
            "struck and hidden words",
            p("Now <text:span text:style-name=\"T1\">9 <text:span text:style-name=\"T2\">8 </text:span></text:span>7")
                + "<text:p text:style-name=\"P3\">gone</text:p><text:section text:display=\"none\"><text:p>gone</text:p></text:section>",
            "Now 7\n",
        ),
        (
            "changes, comments, indexes",
            format!(
                "<text:tracked-changes>{0}</text:tracked-changes><text:table-of-content>{0}</text:table-of-content>\
                 <text:p>Kept<office:annotation>{0}</office:annotation>.</text:p>",
                p("gone")
            ),
            "Kept.\n",
        ),
        (
            "lists, numbered headings, further paragraphs",
            format!(
                "<text:list>{}{}</text:list><text:list>{}</text:list>",
                item(&(p("One") + &p("more"))),
                item(&(p("Two") + &format!("<text:list>{}</text:list>", item(&p("deep"))))),
                item("<text:h text:outline-level=\"2\">Fees</text:h>")
            ),
            "-   One  \n    more\n-   Two\n    -   deep\n\n### Fees\n",
        ),
        (
            "above and below the line",
            p(
                "From 75<text:span text:style-name=\"T3\">1</text:span> euros H<text:span text:style-name=\"T4\">2</text:span>O",
            ),
            "From 75¹ euros H₂O\n",
        ),
        (
            "boxes and shapes within a sentence",
            p(&format!(
                "It takes <draw:frame><svg:title>picture</svg:title><draw:text-box>{}</draw:text-box></draw:frame>\
                 <draw:custom-shape>{}</draw:custom-shape>nine days.",
                p("Boxed."),
                p("Drawn.")
            )),
            "It takes nine days.\n\nBoxed.\n\nDrawn.\n",
        ),
    ] {
        assert_eq!(markdown(&text), expected, "{name}");
    }
}

#[test]
fn a_cell_stands_wherever_it_covers() {
    let cell =
        |marks: &str, words: &str| format!("<table:table-cell {marks}><text:p>{words}</text:p></table:table-cell>");
    let row = |cells: String| format!("<table:table-row>{cells}</table:table-row>");
    let covered = "<table:covered-table-cell/>";
    let head = format!(
        "<table:table-header-rows>{}</table:table-header-rows>",
        row(cell("", "Zone") + &cell("", "Weight") + &cell("", "Price"))
    );
    let head_made = "| Zone | Weight | Price |\n|---|---|---|\n";
    for (rows, expected) in [
        (
            row(cell("table:number-rows-spanned=\"2\"", "Spain") + &cell("", "1 kg") + &cell("", "5"))
                + &row(covered.to_owned() + &cell("", "2 kg") + &cell("", "7")),
            format!("{head_made}| Spain | 1 kg | 5 |\n| Spain | 2 kg | 7 |\n"),
        ),
        (
            row(cell("table:number-columns-spanned=\"3\"", "Letters")
                + "<table:covered-table-cell table:number-columns-repeated=\"2\"/>")
                + &row(cell("", "All") + &cell("table:number-columns-repeated=\"2\"", "1")),
            format!("Letters:\n\n{head_made}| All | 1 | 1 |\n"),
        ),
    ] {
        assert_eq!(markdown(&format!("<table:table>{head}{rows}</table:table>")), expected);
    }
}

#[test]
fn hostile_documents_are_refused_or_cost_no_more_than_others() {
    let bomb = " ".repeat(200 * INFLATED_BYTES_FREE as usize);
    let secret = b"<manifest><file-entry><encryption-data/></file-entry></manifest>";
    for (name, bytes, expected) in [
        ("no archive", b"PK\x03\x04".to_vec(), Unreadable::Malformed(Kind::Odt)),
        ("no content", archive(&[TYPE]), Unreadable::Malformed(Kind::Odt)),
        ("no end", archive(&[TYPE, ("content.xml", b"<a>")]), Unreadable::Malformed(Kind::Odt)),
        (
            "encrypted",
            archive(&[TYPE, ("META-INF/manifest.xml", secret), ("content.xml", b"\xff\x00")]),
            Unreadable::Encrypted,
        ),
        ("a bomb", odt(&bomb), Unreadable::Bomb),
        ("lists within lists", odt(&"<text:list>".repeat(DEPTH_MAX)), Unreadable::TooDeep),
    ] {
        assert_eq!(read(&bytes).unwrap_err(), expected, "{name}");
    }
    let cells =
        "<table:table-cell table:number-columns-repeated=\"99999999\"><text:p>some words</text:p></table:table-cell>";
    let rows =
        format!("<table:table-row table:number-rows-repeated=\"99999999\">{cells}</table:table-row>").repeat(4_000);
    let text = format!("<table:table>{rows}</table:table>");
    assert!(markdown(&text).len() < 2 * text.len());
}
