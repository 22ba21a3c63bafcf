//! Documents made here, part by part.

use std::io::Write as _;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

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
