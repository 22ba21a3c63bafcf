//! Documents that are archives of parts, as small as their readers take them. Made here, part by part.

use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// An archive of these parts; an empty one where it cannot be made.
pub fn archive<'a>(parts: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        let started = writer.start_file(name, SimpleFileOptions::default());
        if started.is_err() || writer.write_all(bytes).is_err() {
            return Vec::new();
        }
    }
    writer.finish().map(Cursor::into_inner).unwrap_or_default()
}

/// A DOCX with this body.
#[must_use]
pub fn docx(body: &str) -> Vec<u8> {
    docx_of(&format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>"))
}

/// A DOCX of this document.
#[must_use]
pub fn docx_of(document: &str) -> Vec<u8> {
    archive([("word/document.xml", document.as_bytes())])
}

/// A PPTX of one slide with these shapes, which is named so many times.
#[must_use]
pub fn pptx(shapes: &str, times: usize) -> Vec<u8> {
    let list =
        format!("<p:presentation><p:sldIdLst>{}</p:sldIdLst></p:presentation>", "<p:sldId r:id=\"a\"/>".repeat(times));
    let slide = format!("<p:sld><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>");
    archive([
        ("ppt/presentation.xml", list.as_bytes()),
        ("ppt/_rels/presentation.xml.rels", b"<R><Relationship Id=\"a\" Target=\"slides/a.xml\"/></R>"),
        ("ppt/slides/a.xml", slide.as_bytes()),
    ])
}

/// An ODT with this text.
#[must_use]
pub fn odt(text: &str) -> Vec<u8> {
    let content = format!("<office:document-content><office:text>{text}</office:text></office:document-content>");
    archive([("content.xml", content.as_bytes())])
}

/// An EPUB of one chapter with this body, which is named so many times.
#[must_use]
pub fn epub(body: &str, times: usize) -> Vec<u8> {
    let book = format!(
        "<package><manifest><item id=\"a\" href=\"a.xhtml\" media-type=\"text/html\"/></manifest><spine>{}</spine></package>",
        "<itemref idref=\"a\"/>".repeat(times)
    );
    let page = format!("<html><body>{body}</body></html>");
    archive([
        ("META-INF/container.xml", &b"<container><rootfile full-path=\"book.opf\"/></container>"[..]),
        ("book.opf", book.as_bytes()),
        ("a.xhtml", page.as_bytes()),
    ])
}
