//! Documents turned into Markdown: HTML, PDF, DOCX, PPTX, XLSX, ODT, EPUB, CSV, Markdown and
//! plain text.
//! Invariant: [`read`] is pure and may panic, overflow its stack or ask for more memory than there
//! is on a hostile document; so a node calls [`Reader`], which runs it in a process of its own.

#[cfg(test)]
mod archives;
mod blocks;
mod cells;
mod confine;
mod csv_table;
mod docx;
mod docx_body;
mod docx_styles;
mod epub;
mod html;
mod joining;
mod kind;
mod left_out;
mod odt;
mod odt_body;
mod odt_styles;
mod package;
mod page;
mod pdf;
mod pdf_fonts;
mod pdf_order;
mod pdf_page;
mod pdf_shown;
mod pdf_text;
mod pdf_widths;
mod pptx;
mod pptx_slide;
mod read;
mod reader;
mod sheet;
mod text;
mod xhtml;
mod xlsx;
mod xlsx_format;
mod xlsx_notes;
mod xlsx_place;

pub use kind::{KINDS, Kind};
pub use left_out::by_sort;
pub use page::{FILE_BYTES_MAX, LeftOut, ReadDocument, Unreadable, WhyLeftOut};
pub use read::{read, robots_words};
pub use reader::{Reader, answer};
