//! Workbooks made here, part by part, and one as a program writes it.

use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

fn workbook(sheet: &str) -> Vec<u8> {
    workbook_with(sheet, &[])
}

fn workbook_with(sheet: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let sheet = format!("<worksheet>{sheet}</worksheet>");
    for (name, bytes) in [
        (
            "xl/workbook.xml",
            "<workbook xmlns:r=\"r\"><sheets><sheet name=\"Fees &amp; more\" r:id=\"a\"/>\
             <sheet name=\"Secret\" state=\"hidden\" r:id=\"a\"/></sheets></workbook>",
        ),
        (
            "xl/_rels/workbook.xml.rels",
            "<Relationships><Relationship Id=\"a\" Target=\"worksheets/one.xml\"/></Relationships>",
        ),
        (
            "xl/sharedStrings.xml",
            "<sst><si><t>Service</t></si><si><t>Fee</t></si><si><r><rPr><strike/></rPr><t>9 EUR</t></r><r><t>7 EUR</t></r>\
             <rPh><t>reading</t></rPh></si>\
             <si><r><t>75</t></r><r><rPr><vertAlign val=\"superscript\"/></rPr><t>1</t></r><r><t> EUR</t></r></si></sst>",
        ),
        (
            "xl/styles.xml",
            "<styleSheet><numFmts><numFmt numFmtId=\"170\" formatCode=\"#,##0.00 &quot;EUR&quot;\"/></numFmts>\
             <fonts><font/><font><strike/></font></fonts><cellXfs><xf numFmtId=\"0\" fontId=\"0\"/>\
             <xf numFmtId=\"170\" fontId=\"0\"/><xf numFmtId=\"14\" fontId=\"0\"/><xf numFmtId=\"0\" fontId=\"1\"/></cellXfs></styleSheet>",
        ),
        ("xl/worksheets/one.xml", sheet.as_str()),
    ]
    .iter()
    .chain(more)
    {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn sheets_are_sections_and_values_as_shown() {
    let head = "<row r=\"3\"><c r=\"B3\" t=\"s\"><v>0</v></c><c r=\"C3\" t=\"s\"><v>1</v></c></row>";
    let head_made = "| Service | Fee |\n|---|---|\n";
    for (rows, expected) in [
        (
            format!(
                "{head}<row r=\"4\"><c r=\"B4\" t=\"inlineStr\"><is><t>Copy</t></is></c><c r=\"C4\" s=\"1\"><v>1234.5</v></c></row>"
            ),
            format!("{head_made}| Copy | 1,234.50 EUR |"),
        ),
        (
            format!(
                "<row r=\"1\"><c r=\"B1\" t=\"str\"><v>Our fees</v></c></row>{head}<row r=\"4\"><c r=\"B4\" t=\"str\"><v>Since</v></c><c r=\"C4\" s=\"2\"><v>46082</v></c></row>"
            ),
            format!("Our fees\n\n{head_made}| Since | 2026-03-01 |"),
        ),
        (
            format!(
                "{head}<row r=\"4\"><c r=\"B4\" t=\"str\"><v>Tea</v></c><c r=\"C4\" t=\"s\"><v>2</v></c></row><row r=\"5\" hidden=\"1\"><c r=\"B5\" t=\"str\"><v>Dealer</v></c></row>"
            ),
            format!("{head_made}| Tea | 7 EUR |"),
        ),
        (
            format!("{head}<row r=\"4\"><c r=\"B4\" t=\"str\"><v>Tea</v></c><c r=\"C4\" t=\"s\"><v>3</v></c></row>"),
            format!("{head_made}| Tea | 75¹ EUR |"),
        ),
        (
            format!(
                "{head}<row r=\"4\"><c r=\"B4\" t=\"str\"><v>A</v></c><c r=\"C4\"><v>5</v></c></row><row r=\"5\"><c r=\"B5\" t=\"str\"><v>B</v></c></row><mergeCells><mergeCell ref=\"C4:C5\"/></mergeCells>"
            ),
            format!("{head_made}| A | 5 |\n| B | 5 |"),
        ),
        (
            format!(
                "{head}<row r=\"4\"><c r=\"B4\" t=\"str\"><v>A</v></c><c r=\"C4\"><v>5</v></c></row><row r=\"5\"><c r=\"B5\" t=\"str\"><v>Abroad</v></c></row><row r=\"6\"><c r=\"B6\" t=\"str\"><v>B</v></c><c r=\"C6\"><v>6</v></c></row><mergeCells><mergeCell ref=\"B5:C5\"/></mergeCells>"
            ),
            format!("{head_made}| A | 5 |\n\nAbroad:\n\n{head_made}| B | 6 |"),
        ),
        (
            format!(
                "<cols><col min=\"4\" max=\"4\" hidden=\"1\"/></cols>{head}<row r=\"4\"><c r=\"B4\" t=\"str\"><v>A</v></c><c r=\"C4\" s=\"3\"><v>5</v></c><c r=\"D4\" t=\"str\"><v>cost</v></c></row><row r=\"5\"><c r=\"B5\" t=\"str\"><v>B</v></c><c r=\"C5\"><v>6</v></c></row>"
            ),
            format!("{head_made}| A |  |\n| B | 6 |"),
        ),
    ] {
        let made = read(&workbook(&rows)).unwrap().markdown;
        assert_eq!(made.trim_end(), format!("## Fees \\& more\n\n{expected}"), "{rows}");
    }
}

#[test]
fn notes_stand_with_their_cells_and_drawings_are_told() {
    let relations = "<Relationships><Relationship Id=\"n\" Type=\"x/comments\" Target=\"../comments1.xml\"/>\
                     <Relationship Id=\"d\" Type=\"x/drawing\" Target=\"../drawings/d1.xml\"/></Relationships>";
    let note = |place: &str, words: &str| {
        format!("<comment ref=\"{place}\" authorId=\"0\"><text><r><t>{words}</t></r></text></comment>")
    };
    let comments = format!(
        "<comments><authors><author>Ann</author></authors><commentList>{}{}{}{}</commentList></comments>",
        note("B1", "Ann:\n only dogs"),
        note("B2", "[Threaded comment] Your version is old. Comment:\n    per day"),
        note("A3", "gone"),
        note("C2", "on request")
    );
    let rows = "<row r=\"1\"><c r=\"A1\" t=\"str\"><v>Pets</v></c><c r=\"B1\" t=\"str\"><v>allowed</v></c></row>\
                <row r=\"2\"><c r=\"A2\" t=\"str\"><v>Car</v></c><c r=\"B2\" s=\"1\"><v>5</v></c><c r=\"C2\" s=\"1\"/></row>\
                <row r=\"3\" hidden=\"1\"><c r=\"A3\" t=\"str\"><v>Old</v></c></row>";
    let bytes =
        workbook_with(rows, &[("xl/worksheets/_rels/one.xml.rels", relations), ("xl/comments1.xml", &comments)]);
    let page = read(&bytes).unwrap();
    assert!(page.markdown.contains("| Pets | allowed (only dogs) |"), "{}", page.markdown);
    assert!(page.markdown.contains("| Car | 5.00 EUR (per day) | on request |"), "{}", page.markdown);
    assert!(!page.markdown.contains("gone"));
    let told: Vec<&str> = page.left_out.iter().map(|part| part.what.as_str()).collect();
    assert_eq!(told, ["drawings on sheet Fees & more"]);
}

#[test]
fn hostile_workbooks_cost_no_more_than_others() {
    let far = "<row><c r=\"BL1\"><v>1</v></c></row>".repeat(50_000);
    assert!(matches!(read(&workbook(&far)).unwrap_err(), Unreadable::Costly | Unreadable::Bomb));
    let merges = "<mergeCell ref=\"A1:XFD1048576\"/>".repeat(10_000);
    let rows = "<row><c t=\"str\"><v>x</v></c></row>".repeat(1_000);
    let why = read(&workbook(&format!("{rows}{merges}"))).unwrap_err();
    assert!(matches!(why, Unreadable::Costly | Unreadable::Bomb));
    // What a small workbook covers with one cell is bounded, too.
    let few = format!("{rows}{}", "<mergeCell ref=\"A1:BL1000\"/>".repeat(60));
    assert_eq!(read(&workbook(&few)).unwrap_err(), Unreadable::Costly);
    for broken in [&b"PK\x03\x04 and no more"[..], b""] {
        assert_eq!(read(broken).unwrap_err(), Unreadable::Malformed(Kind::Xlsx));
    }
    let _ = read(&workbook(
        "<row r=\"x\"><c r=\"1\"/><c r=\"ZZZZZZ9\" s=\"99\" t=\"s\"><v>99</v></c></row><mergeCell ref=\"B:A\"/>",
    ));
}
