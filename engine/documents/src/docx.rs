//! DOCX: the words of the document that are shown, with its headings, lists and tables.

use std::collections::HashMap;

use super::docx_body::{Body, Note};
use super::docx_styles::Styles;
use super::package::{Package, Step, each};
use super::{Kind, LeftOut, ReadDocument, Unreadable, WhyLeftOut};

/// Parts left out that are told of one document.
const LEFT_OUT_MAX: usize = 20;

pub(super) fn read(bytes: &[u8]) -> Result<ReadDocument, Unreadable> {
    let mut package = Package::open(Kind::Docx, bytes)?;
    let document = package.main_part("word/document.xml")?;
    let styles = package.part("word/styles.xml")?.map(|xml| Styles::read(&xml)).transpose()?.unwrap_or_default();
    let core = package.title("docProps/core.xml")?;
    let mut notes = HashMap::new();
    for (name, kind) in [("word/footnotes.xml", Note::Foot), ("word/endnotes.xml", Note::End)] {
        if let Some(xml) = package.part(name)? {
            let mut body = Body::new(&styles, xml.len());
            each(Kind::Docx, &xml, |step| body.step(step))?;
            notes.extend(body.into_notes().into_iter().map(|(id, note)| ((kind, id), note)));
        }
    }
    let mut body = Body::new(&styles, document.len());
    body.put_notes(notes);
    each(Kind::Docx, &document, |step| body.step(step))?;
    let (title, markdown) = body.finish();
    let title = core.or(title);
    let markdown = match &title {
        Some(title) if !markdown.trim().is_empty() => super::pdf_text::under(title, &markdown),
        _ => markdown,
    };
    let left_out = unread(&mut package)?;
    Ok(ReadDocument { title, markdown, left_out, ..ReadDocument::default() })
}

/// Parts of the document that have words of their own and are not read.
fn unread(package: &mut Package<'_>) -> Result<Vec<LeftOut>, Unreadable> {
    let mut parts: Vec<(String, String)> = package
        .relations("word/document.xml")?
        .into_values()
        .filter(|relation| matches!(relation.kind.as_str(), "header" | "footer" | "comments" | "chart"))
        .map(|relation| (relation.kind, relation.part))
        .collect();
    parts.sort();
    parts.truncate(LEFT_OUT_MAX);
    let mut left_out = Vec::new();
    for (what, part) in parts {
        let Some(xml) = package.part(&part)? else { continue };
        let (mut in_text, mut chars) = (false, 0);
        each(Kind::Docx, &xml, |step| match step {
            Step::Open(start) => in_text = matches!(start.local_name().into_inner(), "t" | "v"),
            Step::Close(_) => in_text = false,
            Step::Words(words) => chars += if in_text { words.trim().chars().count() } else { 0 },
        })?;
        if chars > 0 {
            left_out.push(LeftOut { what, why: WhyLeftOut::Unread, chars });
        }
    }
    Ok(left_out)
}

#[cfg(test)]
#[path = "docx_tests.rs"]
mod tests;
