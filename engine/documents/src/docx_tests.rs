//! Documents made here, part by part.

use super::*;
use crate::archives::archive;
use crate::package::{DEPTH_MAX, INFLATED_BYTES_FREE};

fn docx(body: &str) -> Vec<u8> {
    let document = format!("<?xml version=\"1.0\"?><w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
    let styles = "<w:styles xmlns:w=\"w\"><w:style w:styleId=\"berschrift1\"><w:name w:val=\"heading 1\"/></w:style>\
                  <w:style w:styleId=\"Titel\"><w:name w:val=\"Title\"/></w:style></w:styles>";
    archive(&[("word/document.xml", document.as_bytes()), ("word/styles.xml", styles.as_bytes())])
}

fn paragraph(style: &str, words: &str) -> String {
    format!("<w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr><w:r><w:t>{words}</w:t></w:r></w:p>")
}

#[test]
fn headings_lists_and_tables_are_kept() {
    let item = |level: usize, words: &str| {
        format!(
            "<w:p><w:pPr><w:numPr><w:ilvl w:val=\"{level}\"/><w:numId w:val=\"1\"/></w:numPr></w:pPr><w:r><w:t>{words}</w:t></w:r></w:p>"
        )
    };
    let cell = |words: &str| format!("<w:tc><w:p><w:r><w:t>{words}</w:t></w:r></w:p></w:tc>");
    let body = [
        paragraph("Titel", "Shop guide"),
        paragraph("berschrift1", "Returns &amp; refunds"),
        "<w:p><w:r><w:t xml:space=\"preserve\">Within </w:t></w:r><w:r><w:t>30 days</w:t></w:r><w:del><w:r><w:delText>14</w:delText><w:t>gone</w:t></w:r></w:del><w:r><w:t>.</w:t></w:r></w:p>".to_owned(),
        item(0, "Shoes"),
        item(1, "new"),
        item(0, "Books"),
        format!("<w:tbl><w:tr>{}{}</w:tr><w:tr>{}{}</w:tr></w:tbl>", cell("Item"), cell("Days"), cell("Lamp"), cell("30")),
        "<mc:AlternateContent><mc:Choice><w:p><w:r><w:t>Box</w:t></w:r></w:p></mc:Choice><mc:Fallback><w:p><w:r><w:t>Box</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent>".to_owned(),
    ]
    .concat();
    let page = read(&docx(&body)).unwrap();
    assert_eq!(page.title.as_deref(), Some("Shop guide"));
    assert_eq!(
        page.markdown,
        "# Shop guide\n\n## Returns & refunds\n\nWithin 30 days.\n\n-   Shoes\n    -   new\n-   Books\n\n\
         | Item | Days |\n|---|---|\n| Lamp | 30 |\n\nBox\n"
            .replace("& refunds", "\\& refunds")
    );
}

#[test]
fn hostile_documents_are_refused() {
    let malformed = Unreadable::Malformed(Kind::Docx);
    let bomb = vec![b' '; 200 * INFLATED_BYTES_FREE as usize];
    for (bytes, expected) in [
        (b"PK\x03\x04 and no more".to_vec(), malformed.clone()),
        (archive(&[("other.xml", b"<a/>")]), malformed.clone()),
        (archive(&[("word/document.xml", b"<w:document><w:body>")]), malformed.clone()),
        (archive(&[("word/document.xml", b"<w:document></w:body>")]), malformed.clone()),
        (archive(&[("word/document.xml", b"\xff\xfe<")]), malformed),
        (archive(&[("word/document.xml", &bomb)]), Unreadable::Bomb),
        (docx(&"<w:p>".repeat(DEPTH_MAX + 1)), Unreadable::TooDeep),
    ] {
        assert_eq!(read(&bytes).unwrap_err(), expected);
    }
}

fn run(marks: &str, words: &str) -> String {
    format!("<w:r><w:rPr>{marks}</w:rPr><w:t xml:space=\"preserve\">{words}</w:t></w:r>")
}

fn read_body(body: &str) -> String {
    read(&docx(body)).unwrap().markdown.trim().to_owned()
}

#[test]
fn a_merged_cell_stands_wherever_it_covers() {
    let cell = |marks: &str, words: &str| {
        format!("<w:tc><w:tcPr>{marks}</w:tcPr><w:p><w:r><w:t>{words}</w:t></w:r></w:p></w:tc>")
    };
    let row = |cells: &[(&str, &str)]| {
        format!("<w:tr>{}</w:tr>", cells.iter().map(|(marks, words)| cell(marks, words)).collect::<String>())
    };
    let (two, three) = ("<w:gridSpan w:val=\"2\"/>", "<w:gridSpan w:val=\"3\"/>");
    let (begins, goes_on) = ("<w:vMerge w:val=\"restart\"/>", "<w:vMerge/>");
    let head = row(&[("", "Weight"), ("", "Spain"), ("", "Norway")]);
    let head_made = "| Weight | Spain | Norway |\n|---|---|---|\n";
    for (rows, expected) in [
        (
            head.clone() + &row(&[(two, "All parcels"), ("", "19 EUR")]),
            format!("{head_made}| All parcels | All parcels | 19 EUR |"),
        ),
        (
            head.clone()
                + &row(&[(begins, "1 kg"), ("", "5"), ("", "9")])
                + &row(&[(goes_on, ""), ("", "6"), ("", "10")]),
            format!("{head_made}| 1 kg | 5 | 9 |\n| 1 kg | 6 | 10 |"),
        ),
        (
            head.clone()
                + &row(&[("", "1 kg"), (two, "9 EUR")])
                + &row(&[(three, "Letters")])
                + &row(&[("", "A"), ("", "1"), ("", "2")]),
            format!("{head_made}| 1 kg | 9 EUR | 9 EUR |\n\nLetters:\n\n{head_made}| A | 1 | 2 |"),
        ),
        (
            row(&[(begins, "Zone"), (two, "Price")])
                + &row(&[(goes_on, ""), ("", "Post"), ("", "Courier")])
                + &row(&[("", "Home"), ("", "3"), ("", "7")]),
            "| Zone | Price Post | Price Courier |\n|---|---|---|\n| Home | 3 | 7 |".into(),
        ),
        (
            row(&[(three, "Prices of 2026")]) + &head + &row(&[("", "1 kg"), ("", "5"), ("", "9")]),
            format!("Prices of 2026:\n\n{head_made}| 1 kg | 5 | 9 |"),
        ),
        (
            // A title that is called a head.
            head.replace("<w:tr>", "<w:tr><w:trPr><w:tblHeader/></w:trPr>")
                + &row(&[(three, "Letters")]).replace("<w:tr>", "<w:tr><w:trPr><w:tblHeader/></w:trPr>")
                + &row(&[("", "1 kg"), ("", "5"), ("", "9")]),
            format!("Letters:\n\n{head_made}| 1 kg | 5 | 9 |"),
        ),
        (
            row(&[("", "Owner"), ("", "Jane Doe")]) + &row(&[("", "Seat"), ("", "Berlin")]),
            "|  |  |\n|---|---|\n| Owner | Jane Doe |\n| Seat | Berlin |".into(),
        ),
        (
            head.clone()
                + &format!("<w:tr><w:trPr><w:del/></w:trPr>{}</w:tr>", cell("", "old"))
                + &row(&[("", "2 kg"), ("", "7"), ("", "8")]),
            format!("{head_made}| 2 kg | 7 | 8 |"),
        ),
        (
            head + &format!(
                "<w:tr><w:trPr><w:gridBefore w:val=\"1\"/></w:trPr>{}{}</w:tr>",
                cell("", "7"),
                cell("", "8")
            ),
            format!("{head_made}|  | 7 | 8 |"),
        ),
    ] {
        assert_eq!(read_body(&format!("<w:tbl>{rows}</w:tbl>")), expected);
    }
}

#[test]
fn what_is_hidden_struck_or_deleted_is_left_out() {
    let styles = "<w:styles xmlns:w=\"w\">\
        <w:style w:type=\"character\" w:styleId=\"Note\"><w:rPr><w:vanish/></w:rPr></w:style>\
        <w:style w:type=\"character\" w:styleId=\"Inner\"><w:basedOn w:val=\"Note\"/></w:style>\
        <w:style w:type=\"character\" w:styleId=\"Old\"><w:rPr><w:strike/></w:rPr></w:style>\
        <w:style w:type=\"paragraph\" w:styleId=\"Gone\"><w:rPr><w:dstrike/></w:rPr></w:style></w:styles>";
    for (marks, is_shown) in [
        ("", true),
        ("<w:b/>", true),
        ("<w:vanish/>", false),
        ("<w:vanish w:val=\"0\"/>", true),
        ("<w:vanish w:val=\"true\"/>", false),
        ("<w:strike/>", false),
        ("<w:strike w:val=\"false\"/>", true),
        ("<w:dstrike w:val=\"1\"/>", false),
        ("<w:rStyle w:val=\"Note\"/>", false),
        ("<w:rStyle w:val=\"Inner\"/>", false),
        ("<w:rStyle w:val=\"Old\"/>", false),
        ("<w:rStyle w:val=\"Old\"/><w:strike w:val=\"0\"/>", true),
        ("<w:rStyle w:val=\"Unknown\"/>", true),
        ("<w:rPrChange><w:rPr><w:vanish/></w:rPr></w:rPrChange>", true),
    ] {
        let body = format!("<w:p>{}{}</w:p>", run(marks, "499 EUR "), run("", "399 EUR"));
        let document = format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
        let bytes = archive(&[("word/document.xml", document.as_bytes()), ("word/styles.xml", styles.as_bytes())]);
        assert_eq!(read(&bytes).unwrap().markdown.contains("499"), is_shown, "{marks}");
        let paragraph = format!(
            "<w:p><w:pPr><w:pStyle w:val=\"Gone\"/></w:pPr>{}</w:p><w:p>{}</w:p>",
            run("", "499"),
            run("", "399")
        );
        let document = format!("<w:document xmlns:w=\"w\"><w:body>{paragraph}</w:body></w:document>");
        let bytes = archive(&[("word/document.xml", document.as_bytes()), ("word/styles.xml", styles.as_bytes())]);
        assert_eq!(read(&bytes).unwrap().markdown, "399\n");
    }
    // The mark at a paragraph's end is no word of it, and one that was deleted joins two.
    let mark = |mark: &str, words: &str| format!("<w:p><w:pPr><w:rPr>{mark}</w:rPr></w:pPr>{}</w:p>", run("", words));
    assert_eq!(read_body(&mark("<w:vanish/>", "Shown")), "Shown");
    assert_eq!(read_body(&(mark("<w:del/>", "One ") + &mark("", "two"))), "One two");
    assert_eq!(read_body(&format!("<w:p><w:moveFrom>{}</w:moveFrom>{}</w:p>", run("", "old"), run("", "new"))), "new");
}

#[test]
fn words_above_and_below_the_line_change_no_figure() {
    let styles = "<w:styles xmlns:w=\"w\"><w:style w:type=\"character\" w:styleId=\"Up\"><w:rPr><w:vertAlign w:val=\"superscript\"/></w:rPr></w:style>\
        <w:style w:type=\"character\" w:styleId=\"Upper\"><w:basedOn w:val=\"Up\"/></w:style></w:styles>";
    let raised = "<w:vertAlign w:val=\"superscript\"/>";
    for (before, marks, words, after, expected) in [
        ("75", raised, "1", " euros", "75¹ euros"),
        ("250 m", raised, "2", "", "250 m²"),
        ("H", "<w:vertAlign w:val=\"subscript\"/>", "2", "O", "H₂O"),
        ("the 1", raised, "st", " day", "the 1st day"),
        ("75", "<w:rStyle w:val=\"Upper\"/>", "1", " euros", "75¹ euros"),
        ("75", "<w:vertAlign w:val=\"baseline\"/>", "1", " euros", "751 euros"),
    ] {
        let body = format!("<w:p>{}{}{}</w:p>", run("", before), run(marks, words), run("", after));
        let document = format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
        let bytes = archive(&[("word/document.xml", document.as_bytes()), ("word/styles.xml", styles.as_bytes())]);
        assert_eq!(read(&bytes).unwrap().markdown.trim(), expected, "{marks}");
    }
}

#[test]
fn a_note_stands_with_its_sentence_and_what_is_not_read_is_told() {
    let note =
        |name: &str, id: &str, words: &str| format!("<w:{name} w:id=\"{id}\"><w:p>{}</w:p></w:{name}>", run("", words));
    let foot = format!(
        "<w:footnotes xmlns:w=\"w\"><w:footnote w:type=\"separator\" w:id=\"0\"><w:p/></w:footnote>{}{}</w:footnotes>",
        note("footnote", "2", "Until 48 hours before."),
        note("footnote", "3", "In the table.")
    );
    let end = format!("<w:endnotes xmlns:w=\"w\">{}</w:endnotes>", note("endnote", "2", "At the end."));
    let cell = |inner: &str| format!("<w:tc><w:p>{inner}</w:p></w:tc>");
    let body = format!(
        "<w:p>{}<w:r><w:footnoteReference w:id=\"2\"/></w:r>{}<w:r><w:endnoteReference w:id=\"2\"/></w:r></w:p>\
         <w:p>{}<w:r><w:footnoteReference w:id=\"2\"/></w:r></w:p><w:tbl><w:tr>{}{}</w:tr></w:tbl>",
        run("", "It is free"),
        run("", " for all."),
        run("", "Next."),
        cell(&(run("", "Van") + "<w:r><w:footnoteReference w:id=\"3\"/></w:r>")),
        cell(&run("", "5 EUR"))
    );
    let document = format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
    let relations = "<Relationships><Relationship Id=\"h\" Type=\"x/header\" Target=\"header1.xml\"/>\
                     <Relationship Id=\"f\" Type=\"x/footer\" Target=\"footer1.xml\"/></Relationships>";
    let header = format!("<w:hdr xmlns:w=\"w\"><w:p>{}</w:p></w:hdr>", run("", "Shop Ltd"));
    let bytes = archive(&[
        ("word/document.xml", document.as_bytes()),
        ("word/footnotes.xml", foot.as_bytes()),
        ("word/endnotes.xml", end.as_bytes()),
        ("word/_rels/document.xml.rels", relations.as_bytes()),
        ("word/header1.xml", header.as_bytes()),
        ("word/footer1.xml", b"<w:ftr xmlns:w=\"w\"/>"),
    ]);
    let page = read(&bytes).unwrap();
    assert_eq!(
        page.markdown,
        "It is free for all.\n\nUntil 48 hours before.\n\nAt the end.\n\nNext.\n\n|  |  |\n|---|---|\n| Van In the table. | 5 EUR |\n"
    );
    assert_eq!(page.left_out, [LeftOut { what: "header".into(), why: WhyLeftOut::Unread, chars: 8 }]);
}

#[test]
fn boxes_keep_the_words_around_them() {
    let boxed = |inner: &str| {
        format!("<w:r><w:drawing><wps:txbx><w:txbxContent>{inner}</w:txbxContent></wps:txbx></w:drawing></w:r>")
    };
    let say = |words: &str| format!("<w:p>{}</w:p>", run("", words));
    let both = |choice: &str, fallback: &str| {
        format!(
            "<w:r><mc:AlternateContent><mc:Choice>{choice}</mc:Choice><mc:Fallback>{fallback}</mc:Fallback></mc:AlternateContent></w:r>"
        )
    };
    let gift = boxed(&say("Ask for wrapping."));
    let around = |inner: &str| format!("<w:p>{}{inner}{}</w:p>", run("", "It takes nine "), run("", "days."));
    let expected = "It takes nine days.\n\nAsk for wrapping.";
    for (body, expected) in [
        (around(&gift), expected),
        (around(&both(&gift, &gift)), expected),
        (around(&both("<w:r/>", &gift)), expected),
        (around(&boxed(&around(&gift))), "It takes nine days.\n\nIt takes nine days.\n\nAsk for wrapping."),
        (
            format!("<w:tbl><w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr></w:tbl>", around(&gift), say("x")),
            "|  |  |\n|---|---|\n| It takes nine days. Ask for wrapping. | x |",
        ),
        (
            around(&boxed(&format!(
                "<w:tbl><w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr></w:tbl>",
                say("Tea"),
                say("3 EUR")
            ))),
            "It takes nine days.\n\n|  |  |\n|---|---|\n| Tea | 3 EUR |",
        ),
    ] {
        assert_eq!(read_body(&body), expected);
    }
}

#[test]
fn a_cell_over_many_rows_is_not_repeated_without_end() {
    let long = "word ".repeat(20_000);
    let cell = |marks: &str, words: &str| format!("<w:tc><w:tcPr>{marks}</w:tcPr><w:p>{}</w:p></w:tc>", run("", words));
    let rows = format!("<w:tr>{}{}</w:tr>", cell("<w:vMerge/>", ""), cell("", "x")).repeat(2_000);
    let body =
        format!("<w:tbl><w:tr>{}{}</w:tr>{rows}</w:tbl>", cell("<w:vMerge w:val=\"restart\"/>", &long), cell("", "x"));
    assert!(read(&docx(&body)).unwrap().markdown.len() < 2 * body.len());
}
