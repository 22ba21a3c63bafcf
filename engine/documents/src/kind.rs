//! Recognises the kind of a document by its first bytes, its server's word and its name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes looked at to tell text from other things.
const SNIFF_BYTES: usize = 2_048;

/// A kind of document that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Markdown,
    Text,
    Html,
    Pdf,
    Docx,
    Pptx,
    Xlsx,
    Odt,
    Epub,
    Csv,
}

/// Every kind that can be read, in words.
pub const KINDS: &str = "Markdown, text, HTML, PDF, DOCX, PPTX, XLSX, ODT, EPUB and CSV";

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Markdown,
        Self::Text,
        Self::Html,
        Self::Pdf,
        Self::Docx,
        Self::Pptx,
        Self::Xlsx,
        Self::Odt,
        Self::Epub,
        Self::Csv,
    ];

    /// Its name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Text => "text",
            Self::Html => "html",
            Self::Pdf => "pdf",
            Self::Docx => "docx",
            Self::Pptx => "pptx",
            Self::Xlsx => "xlsx",
            Self::Odt => "odt",
            Self::Epub => "epub",
            Self::Csv => "csv",
        }
    }

    /// The kind of a document, or none that can be read. The bytes go before what is said of them:
    /// servers are often wrong, and a name is only a name.
    #[must_use]
    pub fn of(media_type: Option<&str>, name: &str, bytes: &[u8]) -> Option<Self> {
        let head = &bytes[..bytes.len().min(SNIFF_BYTES)];
        if head.windows(5).take(1_024).any(|window| window == b"%PDF-") {
            return Some(Self::Pdf);
        }
        let told = media_type.and_then(Self::of_media_type);
        let named = Self::of_name(name);
        if head.starts_with(b"PK") {
            // What is in it goes before what is said of it.
            return match packed(bytes) {
                Packed::Is(kind) => Some(kind),
                Packed::Other => None,
                Packed::Unknown => [told, named].into_iter().flatten().find(|kind| kind.is_packed()),
            };
        }
        if !is_text(head) {
            return None;
        }
        match (told, named) {
            // `text/plain` is what servers say of whatever they do not know.
            (Some(Self::Text) | None, Some(named)) if named.is_written() => Some(named),
            (Some(told), _) if told.is_written() => Some(told),
            (None, None) if looks_like_html(head) => Some(Self::Html),
            // Said to be a PDF or DOCX, and is not.
            (Some(_), _) | (None, Some(_)) => None,
            (None, None) => Some(Self::Text),
        }
    }

    /// The kind that a name's ending tells.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let path = name.split(['?', '#']).next().unwrap_or(name);
        let file = path.rsplit('/').next().unwrap_or(path);
        let (_, ending) = file.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "md" | "markdown" | "mdx" => Some(Self::Markdown),
            "txt" | "text" => Some(Self::Text),
            "html" | "htm" | "xhtml" => Some(Self::Html),
            "pdf" => Some(Self::Pdf),
            "docx" => Some(Self::Docx),
            "pptx" | "pptm" | "ppsx" => Some(Self::Pptx),
            "xlsx" | "xlsm" => Some(Self::Xlsx),
            "odt" | "ott" => Some(Self::Odt),
            "epub" => Some(Self::Epub),
            "csv" | "tsv" | "tab" => Some(Self::Csv),
            _ => None,
        }
    }

    /// The kind a media type names; none for one that tells nothing or something else.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/markdown" | "text/x-markdown" => Some(Self::Markdown),
            "text/plain" => Some(Self::Text),
            "text/html" | "application/xhtml+xml" => Some(Self::Html),
            "application/pdf" | "application/x-pdf" => Some(Self::Pdf),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => Some(Self::Docx),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => Some(Self::Xlsx),
            "application/vnd.openxmlformats-officedocument.presentationml.presentation"
            | "application/vnd.openxmlformats-officedocument.presentationml.slideshow" => Some(Self::Pptx),
            "application/vnd.oasis.opendocument.text" | "application/vnd.oasis.opendocument.text-template" => {
                Some(Self::Odt)
            }
            "application/epub+zip" => Some(Self::Epub),
            "text/csv" | "text/tab-separated-values" | "application/csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// Whether it is text on disk.
    const fn is_written(self) -> bool {
        matches!(self, Self::Markdown | Self::Text | Self::Html | Self::Csv)
    }

    /// Whether it is an archive on disk.
    const fn is_packed(self) -> bool {
        matches!(self, Self::Docx | Self::Pptx | Self::Xlsx | Self::Odt | Self::Epub)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Markdown => "Markdown",
            Self::Text => "text",
            Self::Html => "HTML",
            Self::Pdf => "PDF",
            Self::Docx => "DOCX",
            Self::Pptx => "PPTX",
            Self::Xlsx => "XLSX",
            Self::Odt => "ODT",
            Self::Epub => "EPUB",
            Self::Csv => "CSV",
        })
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| format!("no kind is called `{name}`"))
    }
}

/// What an archive says that it is.
enum Packed {
    Is(Kind),
    /// Something that is not read.
    Other,
    Unknown,
}

/// What an archive is: by the type that stands first in it, else by the names of its parts. The last names are
/// its own: a presentation may have a workbook in it.
fn packed(bytes: &[u8]) -> Packed {
    let head = &bytes[..bytes.len().min(SNIFF_BYTES)];
    // The first part, stored as it is: its name, perhaps some bytes of the packer's, the type.
    let named = place(&head[..head.len().min(64)], b"mimetype").map(|at| &head[at..head.len().min(at + 160)]);
    if let Some(told) = named.and_then(|named| Some(&named[place(named, b"application/")?..])) {
        let told = told.split(|byte| !byte.is_ascii_graphic()).next().unwrap_or_default();
        let told = String::from_utf8_lossy(told);
        // The head of the next part follows without a gap.
        let told = told.split("PK").next().unwrap_or_default();
        return Kind::of_media_type(told).map_or(Packed::Other, Packed::Is);
    }
    let parts = [
        (Kind::Docx, &b"word/document.xml"[..]),
        (Kind::Xlsx, b"xl/workbook.xml"),
        (Kind::Pptx, b"ppt/presentation.xml"),
        (Kind::Epub, b"META-INF/container.xml"),
    ];
    let found = parts.iter().filter_map(|(kind, part)| Some((last_place(bytes, part)?, *kind)));
    found.max_by_key(|(at, _)| *at).map_or(Packed::Unknown, |(_, kind)| Packed::Is(kind))
}

fn place(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn last_place(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).rposition(|window| window == needle)
}

fn is_text(head: &[u8]) -> bool {
    let has_mark = [&b"\xff\xfe"[..], b"\xfe\xff"].iter().any(|mark| head.starts_with(mark));
    has_mark || !head.contains(&0)
}

fn looks_like_html(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    ["<!doctype html", "<html", "<head", "<body"].iter().any(|opener| text.starts_with(opener))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_before_what_is_said_and_what_is_said_before_the_name() {
        const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        for (said, name, bytes, expected) in [
            (None, "a.md", &b"# A"[..], Some(Kind::Markdown)),
            (Some("text/plain; charset=utf-8"), "a.md", b"# A", Some(Kind::Markdown)),
            (Some("text/plain"), "https://x.example/a", b"A", Some(Kind::Text)),
            (Some("text/html; charset=utf-8"), "https://x.example/a", b"<p>A", Some(Kind::Html)),
            (Some("text/html"), "guide.md", b"<p>A", Some(Kind::Html)),
            (None, "x.HTM?v=1.pdf", b"<p>A", Some(Kind::Html)),
            (None, "x", b"\xef\xbb\xbf \n<!DOCTYPE html><p>A", Some(Kind::Html)),
            (None, "x", b"plain words", Some(Kind::Text)),
            (None, "x.txt", b"\xff\xfeA\0", Some(Kind::Text)),
            (Some("application/octet-stream"), "x", b"words", Some(Kind::Text)),
            (Some("text/plain"), "x.txt", b"a\0b", None),
            (Some("image/png"), "x.png", b"\x89PNG\0", None),
            (Some("text/html"), "x.html", b"%PDF-1.7", Some(Kind::Pdf)),
            (Some("application/pdf"), "x.pdf", b"<p>not found", None),
            (None, "x.docx", b"PK\x03\x04", Some(Kind::Docx)),
            (Some(DOCX), "x", b"PK\x03\x04", Some(Kind::Docx)),
            (None, "x", b"PK\x03\x04 .. word/document.xml", Some(Kind::Docx)),
            (Some("application/zip"), "x.zip", b"PK\x03\x04", None),
            (None, "x.docx", b"not a zip", None),
            (None, "x.docx", b"PK\x03\x04 .. xl/workbook.xml", Some(Kind::Xlsx)),
            (None, "x.xlsx", b"PK\x03\x04", Some(Kind::Xlsx)),
            (None, "x.pptx", b"PK\x03\x04 .. xl/workbook.xml .. ppt/presentation.xml", Some(Kind::Pptx)),
            (None, "x", b"PK\x03\x04 mimetypeapplication/epub+zipPK\x03\x04", Some(Kind::Epub)),
            (None, "x", b"PK\x03\x04 .. META-INF/container.xml", Some(Kind::Epub)),
            (None, "x.zip", b"PK\x03\x04 mimetypeapplication/vnd.oasis.opendocument.textPK\x03\x04", Some(Kind::Odt)),
            (None, "x.odt", b"PK\x03\x04 mimetypeapplication/vnd.oasis.opendocument.spreadsheetPK\x03\x04", None),
            (Some("application/epub+zip"), "x", b"PK\x03\x04", Some(Kind::Epub)),
            (Some("application/vnd.ms-excel"), "prices.csv", b"a;b", Some(Kind::Csv)),
            (Some("text/csv; charset=utf-8"), "https://x.example/prices", b"a;b", Some(Kind::Csv)),
            (Some("text/plain"), "prices.tsv", b"a\tb", Some(Kind::Csv)),
        ] {
            assert_eq!(Kind::of(said, name, bytes), expected, "{said:?} {name}");
        }
    }
}
