//! What becomes of a document, and why one is passed over.

use serde::{Deserialize, Serialize};

use super::kind::{KINDS, Kind};

/// A file to be read, in bytes.
pub const FILE_BYTES_MAX: usize = schema::limits::FILE_BYTES_MAX;

/// A document that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadDocument {
    /// What it calls itself.
    pub title: Option<String>,
    /// Its main text as Markdown, under its title.
    pub markdown: String,
    /// Where its links lead, as written.
    pub links: Vec<String>,
    /// Against what they are to be read, where the page says so.
    pub base: Option<String>,
    /// Under which address it wants to be known, as written.
    pub canonical: Option<String>,
    /// It asks not to be kept.
    pub noindex: bool,
    /// It asks that its links not be followed.
    pub nofollow: bool,
    /// It is only a way to another page: where that is, as written.
    pub moved: Option<String>,
    /// Parts of it that are not in its text, as they stand in it.
    pub left_out: Vec<LeftOut>,
}

/// A part of a page that is not learned. Never holds the page's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// What it is called in the page: an element with its id and first class, or what it is in a word.
    pub what: String,
    /// Why it is left out.
    pub why: WhyLeftOut,
    /// How many characters of text it has.
    pub chars: usize,
}

/// Why a part of a page is not learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum WhyLeftOut {
    #[error("nothing on the page shows it")]
    Hidden,
    #[error("it is for finding one's way")]
    Navigation,
    #[error("most of it is links")]
    Links,
    #[error("it is the page's head or foot: what it says of the business is kept")]
    Edge,
    #[error("it is a form")]
    Form,
    #[error("it is a dialog that nothing on the page opens")]
    Dialog,
    #[error("it is a notice about cookies")]
    Notice,
    #[error("it is beside the main text, and says little")]
    Outside,
    #[error("it stands on most pages of the site: it is learned with one of them")]
    Repeated,
    #[error("it is in a part of the document that is not read")]
    Unread,
}

/// Why a document is passed over. Never holds the document's own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Unreadable {
    #[error("it has no text")]
    Empty,
    #[error("it has no text; scanned pages are not read")]
    Scanned,
    #[error("its text is in a font that does not say which letters it has")]
    Letters,
    #[error("it is encrypted")]
    Encrypted,
    #[error("it is not a whole {0}")]
    Malformed(Kind),
    #[error("it is nested too deeply")]
    TooDeep,
    #[error("it unpacks to far more than it should")]
    Bomb,
    #[error("reading it takes far more work than its size is worth")]
    Costly,
    #[error("its text is larger than {} MiB", schema::limits::DOCUMENT_BYTES_MAX >> 20)]
    TooLong,
    #[error("it is larger than {} MiB", FILE_BYTES_MAX >> 20)]
    TooLarge,
    #[error("it is none of {KINDS}")]
    UnknownKind,
    #[error("it took too long to read")]
    TooSlow,
    #[error("reading it broke down or took too much memory")]
    Broke,
    #[error("too many documents wait to be read")]
    Busy,
    #[error("the program that reads documents cannot be started")]
    NoReader,
}

impl Unreadable {
    /// Whether the same document may be read another time.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Busy | Self::NoReader)
    }
}
