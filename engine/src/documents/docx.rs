//! DOCX: the words of the document that are shown, with its headings, lists and tables.

use super::docx_body::Body;
use super::docx_styles::Styles;
use super::package::{Package, each};
use super::{Kind, Page, Unreadable};

pub(super) fn read(bytes: &[u8]) -> Result<Page, Unreadable> {
    let mut package = Package::open(Kind::Docx, bytes)?;
    let document = package.main_part("word/document.xml")?;
    let styles = package.part("word/styles.xml")?.map(|xml| Styles::read(&xml)).transpose()?.unwrap_or_default();
    let core = package.title("docProps/core.xml")?;
    let mut body = Body::new(&styles, document.len());
    each(Kind::Docx, &document, |step| body.step(step))?;
    let (title, markdown) = body.finish();
    let title = core.or(title);
    let markdown = match &title {
        Some(title) if !markdown.trim().is_empty() => super::pdf_text::under(title, &markdown),
        _ => markdown,
    };
    Ok(Page { title, markdown, ..Page::default() })
}

#[cfg(test)]
#[path = "docx_tests.rs"]
mod tests;
