//! Bodies of the routes that learn documents and show what was learned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Passage, Text, Timestamp, limits};

/// `POST /v1/knowledge`: learn or replace one document.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentIn {
    /// Its name or address; learning the same source again replaces it.
    #[schemars(length(max = limits::SOURCE_CHARS_MAX), regex(pattern = limits::SOURCE_PATTERN))]
    pub source: String,
    /// Its words, Markdown or plain text.
    #[schemars(length(max = limits::DOCUMENT_BYTES_MAX))]
    pub text: Text,
}

/// The answer to a document or file: it is learned, and used from the next question on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Learned {
    /// The document's name.
    pub source: String,
    /// How many passages it gave.
    pub passages: usize,
    /// False when exactly this was known already.
    pub changed: bool,
}

/// `GET /v1/knowledge`: the tenant's documents, in pages.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DocumentList {
    /// One page of what the tenant's assistant has learned.
    pub documents: Vec<DocumentView>,
    /// Give this as `?after=` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One learned document, as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentView {
    /// The document's name.
    pub source: String,
    /// How many passages it gave.
    pub passages: usize,
    /// Size of its text in UTF-8 bytes.
    pub bytes: usize,
    /// When its present text was learned.
    pub learned_at: Timestamp,
}

/// `GET /v1/knowledge/document`: one document, as the assistant knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentPage {
    /// The document as a whole.
    pub document: DocumentFacts,
    /// One page of what it was cut into, in its order, numbered from 1: what replies are made from.
    pub passages: Vec<Passage>,
    /// Give this as `?after=` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<usize>,
}

/// What is known of a learned document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentFacts {
    /// The document's row in the list.
    #[serde(flatten)]
    pub view: DocumentView,
    /// The title that people see: its outermost heading, or its name without path and ending.
    pub title: String,
    /// Where it can be read; absent when the source is no address of the web.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The language it is taken to be in, as a BCP 47 tag.
    pub language: String,
    /// Parts of it that were not learned, by what they are and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// `GET /v1/knowledge/document/markdown`: a piece of the document's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DocumentMarkdown {
    /// A piece of the document's text as it was learned, to be joined with the others as they are.
    pub markdown: Text,
    /// Give this as `?after=` to get the next piece; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<usize>,
}

/// Parts of one document that were not learned, all of one sort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// Their name in the document: an element, with its id and first class.
    pub what: String,
    /// Why they are left out.
    #[serde(default)]
    pub reason: LeftOutReason,
    /// `reason` in words.
    pub why: String,
    /// Number of such parts.
    pub parts: usize,
    /// How many characters of text they have together.
    pub characters: usize,
}

/// Why a part of a page is not learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// Nothing on the page shows it.
    Hidden,
    /// It is a menu or another list of ways through the site.
    Navigation,
    /// Most of it is links.
    Links,
    /// It is the page's head or foot; what it says of the business is kept.
    Edge,
    /// It is a form.
    Form,
    /// It is a dialog that nothing on the page opens.
    Dialog,
    /// It is a notice about cookies.
    Notice,
    /// It is beside the main text, and says little.
    Outside,
    /// Other pages of the site say it, too.
    Repeated,
    /// Another reason, told in `why`; also every reason noted before reasons had names.
    #[default]
    #[serde(other)]
    Other,
}
