//! Pages of HTML: their text as Markdown, and their statements about themselves.
//! Invariant: what a visitor sees of the business, at once or after a click, is in the Markdown with what it
//! belongs to; what is left out is told.

mod amounts;
mod asides;
mod attributes;
mod charset;
mod counting;
mod covered_mail;
mod furniture;
mod head;
mod hours;
mod inline;
mod items;
mod labels;
mod main_text;
mod marks;
#[cfg(test)]
mod meaning_tests;
mod paragraph;
mod parse;
mod render;
mod rows;
mod seen;
mod shifts;
mod shown;
mod sink;
mod sizes;
mod statements;
mod styles;
mod table_layout;
mod tables;
#[cfg(test)]
mod tests;
mod titles;
mod tree;
mod values;
mod written;

pub(super) use charset::decode;
pub(super) use head::directives;

use super::{ReadDocument, Unreadable};

pub(super) fn read(html: &str) -> Result<ReadDocument, Unreadable> {
    let mut tree = tree::parse(html)?;
    covered_mail::write(&mut tree);
    let mut page = head::read(&tree);
    let items = items::stated(&tree);
    shifts::write(&mut tree);
    titles::name(&mut tree);
    let hidden = shown::hidden(&tree);
    let concealed = shown::told(&tree, &hidden);
    let tree = tree.without(&hidden);
    page.title = head::title(&tree);
    if !page.noindex {
        let main = main_text::find(&tree);
        page.markdown = written::markdown(&tree, &main, page.title.as_deref(), &items);
        page.left_out = main.left_out;
        page.left_out.extend(concealed);
    }
    Ok(page)
}
