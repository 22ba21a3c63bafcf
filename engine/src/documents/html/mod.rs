//! Pages of HTML: the main text as Markdown, and what the page says of itself.

mod attributes;
mod head;
mod main_text;
mod parse;
mod render;
mod sink;
#[cfg(test)]
mod tests;
mod tree;

pub(super) use head::directives;

use super::{Page, Unreadable};

pub(super) fn read(html: &str) -> Result<Page, Unreadable> {
    let tree = tree::parse(html)?;
    let mut page = head::read(&tree);
    if !page.noindex {
        let main = main_text::find(&tree);
        page.markdown = render::markdown(&tree, &main, page.title.as_deref());
    }
    Ok(page)
}
