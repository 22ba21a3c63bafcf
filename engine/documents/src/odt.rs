//! ODT: the words of the document that are shown, with its headings, lists, tables and notes.

use super::odt_body::Body;
use super::odt_styles::Styles;
use super::package::{Package, Step, each};
use super::{Kind, ReadDocument, Unreadable};

pub(super) fn read(bytes: &[u8]) -> Result<ReadDocument, Unreadable> {
    let mut package = Package::open(Kind::Odt, bytes)?;
    if is_encrypted(&mut package)? {
        return Err(Unreadable::Encrypted);
    }
    let content = package.main_part("content.xml")?;
    let mut styles = Styles::default();
    if let Some(xml) = package.part("styles.xml")? {
        each(Kind::Odt, &xml, |step| styles.step(step))?;
    }
    let own = package.title("meta.xml")?;
    let mut body = Body::new(styles, content.len());
    each(Kind::Odt, &content, |step| body.step(step))?;
    let (title, markdown) = body.finish();
    let title = own.or(title);
    let markdown = match &title {
        Some(title) if !markdown.trim().is_empty() => super::pdf_text::under(title, &markdown),
        _ => markdown,
    };
    Ok(ReadDocument { title, markdown, ..ReadDocument::default() })
}

/// Whether the list of the parts says how one is encrypted.
fn is_encrypted(package: &mut Package<'_>) -> Result<bool, Unreadable> {
    let Some(xml) = package.part("META-INF/manifest.xml")? else { return Ok(false) };
    let mut found = false;
    each(Kind::Odt, &xml, |step| {
        found |= matches!(step, Step::Open(start) if start.local_name().into_inner() == "encryption-data");
    })?;
    Ok(found)
}

#[cfg(test)]
#[path = "odt_tests.rs"]
mod tests;
