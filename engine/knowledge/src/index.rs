//! One tenant's index on disk: written by one learner at a time, read by many, never blocked.
//! Invariant: it holds nothing that cannot be built again from the documents in the store.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use schema::limits::PASSAGE_CHARS_MAX;
use tantivy::indexer::IndexWriterOptions;
use tantivy::merge_policy::LogMergePolicy;
use tantivy::schema::{
    Field, IndexRecordOption, NumericOptions, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::{
    DocSet, Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, TERMINATED, TantivyDocument, TantivyError, Term,
};

use super::chunk::Piece;
use super::error::KnowledgeError;
use super::language::Language;
use super::meanings::{self, Meanings};
use super::records::Stamp;
use super::stems::{Word, words};

/// Raise it when the fields, the words or the passages change: indexes are then built anew.
const FORMAT: &str = "tertulia-knowledge 6\n";
const FORMAT_FILE: &str = "FORMAT";
/// What one learner may use before it writes to disk; the least that tantivy takes.
const WRITER_BYTES: usize = 15_000_000;

/// Segments of so many passages or fewer are of one size; others when they differ by four times (2 to the second).
const SMALL_PASSAGES: u32 = 1_000;
const LEVEL_LOG: f64 = 2.0;
const DELETED_SHARE_MAX: f32 = 0.33;

/// Blocks of 16 KB that each segment of an open index keeps unpacked: neighbours are often found together, and
/// anything more would be many megabytes for every tenant.
const CACHED_BLOCKS: usize = 4;

const _: () = assert!(PASSAGE_CHARS_MAX * 4 < WRITER_BYTES / 100, "many passages fit a writer");

/// An open index.
pub(super) struct TenantIndex {
    index: Index,
    reader: IndexReader,
    pub(super) fields: Fields,
    /// As of the last commit.
    stamp: Mutex<Stamp>,
}

/// The index's columns.
#[derive(Clone, Copy)]
pub(super) struct Fields {
    /// The document's record id: what forgetting deletes by.
    document: Field,
    /// The same with the digest of the text that was indexed: what catching up compares.
    held: Field,
    pub(super) source: Field,
    pub(super) heading: Field,
    pub(super) text: Field,
    pub(super) ordinal: Field,
    /// Searched: stems of the passage, of its headings, of the document's name, and whole words
    /// of all three.
    pub(super) body_stems: Field,
    pub(super) heading_stems: Field,
    pub(super) name_stems: Field,
    pub(super) exact: Field,
    /// What the words mean, and which kinds of values stand there: see [`meanings`].
    pub(super) meanings: Field,
    /// Beginnings and ends of joined words, in languages that join them.
    pub(super) parts: Field,
    /// The document's language.
    pub(super) language: Field,
}

impl Fields {
    /// Those in which words are looked for.
    pub(super) const fn searched(&self) -> [Field; 6] {
        [self.body_stems, self.heading_stems, self.name_stems, self.exact, self.meanings, self.parts]
    }
}

/// Why there is no index to be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unopened {
    #[error("it is not there")]
    Absent,
    #[error("it is of another format, or was never finished")]
    OtherFormat,
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It may be as good as ever.
    #[error(transparent)]
    Failed(KnowledgeError),
}

impl From<TantivyError> for Unopened {
    fn from(error: TantivyError) -> Self {
        match KnowledgeError::from(error) {
            KnowledgeError::Index(cause) => Self::Damaged(cause),
            other => Self::Failed(other),
        }
    }
}

/// A document on its way into an index.
pub(super) struct Entry<'a> {
    /// Its record's id.
    pub(super) id: &'a str,
    pub(super) source: &'a str,
    /// Of the text that these are the pieces of.
    pub(super) sha256: &'a str,
    pub(super) pieces: &'a [Piece],
}

impl TenantIndex {
    /// Opens what is there, if it is whole and of this version.
    pub(super) fn open(dir: &Path) -> Result<Self, Unopened> {
        match std::fs::read(dir.join(FORMAT_FILE)) {
            Ok(format) if format == FORMAT.as_bytes() => {}
            Ok(_) => return Err(Unopened::OtherFormat),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(if dir.exists() { Unopened::OtherFormat } else { Unopened::Absent });
            }
            Err(error) => return Err(TantivyError::from(error).into()),
        }
        let (schema, fields) = layout();
        let index = Index::open_in_dir(dir)?;
        if index.schema() != schema {
            return Err(Unopened::OtherFormat);
        }
        // Damage shows here, where building anew is still possible, and not in an answer.
        let damaged = index.validate_checksum()?;
        if let Some(file) = damaged.iter().next() {
            return Err(Unopened::Damaged(format!("{} files, {} among them", damaged.len(), file.display())));
        }
        Ok(Self::with_reader(index, fields)?)
    }

    /// Makes an empty index in place of whatever is there.
    pub(super) fn create(dir: &Path) -> Result<Self, KnowledgeError> {
        remove(dir)?;
        std::fs::create_dir_all(dir).map_err(|error| failed("cannot make its folder", &error))?;
        let (schema, fields) = layout();
        let index = Index::create_in_dir(dir, schema)?;
        // Last, so that an index half made is not taken for a whole one.
        std::fs::write(dir.join(FORMAT_FILE), FORMAT).map_err(|error| failed("cannot write its format", &error))?;
        Ok(Self::with_reader(index, fields)?)
    }

    fn with_reader(index: Index, fields: Fields) -> Result<Self, TantivyError> {
        // Manual: the learner reloads after its commit, and no thread has to watch the folder.
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual);
        let reader = reader.doc_store_cache_num_blocks(CACHED_BLOCKS).try_into()?;
        let stamp = index.load_metas()?.payload.and_then(|payload| Stamp::read(&payload)).unwrap_or_default();
        Ok(Self { index, reader, fields, stamp: Mutex::new(stamp) })
    }

    /// The state of the store this index was made from; version 0 when it never was.
    pub(super) fn stamp(&self) -> Stamp {
        self.stamp.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It holds what the store does at this stamp, as it is.
    pub(super) fn note(&self, stamp: &Stamp) {
        self.stamp.lock().unwrap_or_else(PoisonError::into_inner).clone_from(stamp);
    }

    /// The documents it has passages of, by their records' ids, each with the digest of the text that was indexed.
    pub(super) fn held(&self) -> Result<HashMap<String, String>, KnowledgeError> {
        let mut held = HashMap::new();
        for segment in self.searcher().segment_readers() {
            let column = segment.inverted_index(self.fields.held)?;
            let mut terms = column.terms().stream().map_err(TantivyError::from)?;
            while terms.advance() {
                let rows = column.read_postings_from_terminfo(terms.value(), IndexRecordOption::Basic);
                let mut rows = rows.map_err(TantivyError::from)?;
                // Words of rows that were deleted stay until segments become one.
                while rows.doc() != TERMINATED && segment.is_deleted(rows.doc()) {
                    rows.advance();
                }
                if rows.doc() != TERMINATED
                    && let Some((id, sha256)) =
                        std::str::from_utf8(terms.key()).ok().and_then(|key| key.split_once(':'))
                {
                    held.insert(id.to_owned(), sha256.to_owned());
                }
            }
        }
        Ok(held)
    }

    /// What was committed last. Stays as it is while learning goes on.
    pub(super) fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// Begins to learn. There can be one at a time.
    pub(super) fn writer(&self) -> Result<Writer<'_>, KnowledgeError> {
        let options = IndexWriterOptions::builder()
            .memory_budget_per_thread(WRITER_BYTES)
            .num_worker_threads(1)
            .num_merge_threads(1)
            .build();
        let writer = self.index.writer_with_options(options)?;
        writer.set_merge_policy(Box::new(merge_policy()));
        Ok(Writer { writer, of: self })
    }
}

/// A learner at work. Dropped without [`Writer::commit`], it leaves everything as it was.
pub(super) struct Writer<'a> {
    writer: IndexWriter,
    of: &'a TenantIndex,
}

impl Writer<'_> {
    /// Takes a document out.
    pub(super) fn forget(&self, id: &str) {
        self.writer.delete_term(Term::from_field_text(self.of.fields.document, id));
    }

    /// Puts a document in, in place of its former self.
    pub(super) fn learn(&self, entry: &Entry<'_>) -> Result<(), KnowledgeError> {
        self.forget(entry.id);
        let fields = &self.of.fields;
        let language = language_of(entry.pieces);
        let name = words(&name_of(entry.source), language);
        for (ordinal, piece) in (0u64..).zip(entry.pieces) {
            let (heading, body) = (words(&piece.heading, language), words(&piece.text, language));
            let meanings = Meanings::of(&name, &heading, &body, &piece.text, language);
            let mut row = TantivyDocument::new();
            row.add_text(fields.document, entry.id);
            row.add_text(fields.held, format!("{}:{}", entry.id, entry.sha256));
            row.add_text(fields.source, entry.source);
            row.add_text(fields.heading, &piece.heading);
            row.add_text(fields.text, &piece.text);
            row.add_u64(fields.ordinal, ordinal);
            row.add_text(fields.body_stems, line(body.iter().map(|word| &word.stem)));
            row.add_text(fields.heading_stems, line(heading.iter().map(|word| &word.stem)));
            row.add_text(fields.name_stems, line(name.iter().map(|word| &word.stem)));
            let all = name.iter().chain(&heading).chain(&body);
            row.add_text(fields.exact, line(all.clone().map(|word: &Word| &word.exact)));
            row.add_text(fields.meanings, line(meanings.tokens().iter()));
            if language.joins_words() {
                let parts: Vec<String> = all.flat_map(|word| meanings::parts(&word.stem)).collect();
                row.add_text(fields.parts, line(parts.iter()));
            }
            row.add_text(fields.language, language.code());
            self.writer.add_document(row)?;
        }
        Ok(())
    }

    /// Makes it all searchable at once, and notes the store's state it was made from.
    pub(super) fn commit(mut self, stamp: &Stamp) -> Result<(), KnowledgeError> {
        let mut commit = self.writer.prepare_commit()?;
        commit.set_payload(&stamp.written());
        commit.commit()?;
        self.writer.wait_merging_threads()?;
        self.of.reader.reload()?;
        self.of.note(stamp);
        Ok(())
    }
}

/// Segments of about one size become one: what is added one by one is not written again with thousands of others
/// each time, and what was deleted takes room until it is a third of its segment.
fn merge_policy() -> LogMergePolicy {
    let mut policy = LogMergePolicy::default();
    policy.set_min_layer_size(SMALL_PASSAGES);
    policy.set_level_log_size(LEVEL_LOG);
    policy.set_del_docs_ratio_before_merge(DELETED_SHARE_MAX);
    policy
}

/// Deletes an index from disk.
pub(super) fn remove(dir: &Path) -> Result<(), KnowledgeError> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("cannot remove its folder", &error)),
        _ => Ok(()),
    }
}

/// Marks an index as unusable, so that it is built anew when it is next opened.
pub(super) fn condemn(dir: &Path) -> Result<(), KnowledgeError> {
    let file: PathBuf = dir.join(FORMAT_FILE);
    std::fs::remove_file(file).map_err(|error| failed("cannot be marked for building anew", &error))
}

/// The telling part of a source: the last parts of a path or address, without its ending.
pub(super) fn name_of(source: &str) -> String {
    let path = source.split(['?', '#']).next().unwrap_or(source);
    let mut parts: Vec<&str> = path.rsplit('/').filter(|part| !part.is_empty()).take(2).collect();
    parts.reverse();
    let name = parts.join(" ");
    let end = name.rfind('.').filter(|at| *at > 0 && name.len() - at <= 6).unwrap_or(name.len());
    name[..end].to_string()
}

/// The language of a document, by its beginning.
pub(super) fn language_of(pieces: &[Piece]) -> Language {
    /// Pieces that are looked at: a page may begin with names and addresses.
    const PIECES: usize = 6;
    let sample = pieces.iter().take(PIECES).map(|piece| piece.text.as_str()).collect::<Vec<_>>().join("\n");
    Language::of(&sample, Language::English)
}

/// Words as the index's tokenizer cuts them again: none has a space in it.
fn line<'a>(words: impl Iterator<Item = &'a String>) -> String {
    let mut line = String::new();
    for word in words {
        line.push_str(word);
        line.push(' ');
    }
    line
}

fn layout() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    // The words come cut already, with spaces between them.
    let indexing = |option| {
        TextOptions::default()
            .set_indexing_options(TextFieldIndexing::default().set_tokenizer("whitespace").set_index_option(option))
    };
    let counted = indexing(IndexRecordOption::WithFreqs);
    let fields = Fields {
        document: schema.add_text_field("document", STRING),
        held: schema.add_text_field("held", STRING),
        source: schema.add_text_field("source", STORED),
        heading: schema.add_text_field("heading", STORED),
        text: schema.add_text_field("text", STORED),
        ordinal: schema.add_u64_field("ordinal", NumericOptions::default().set_stored()),
        body_stems: schema.add_text_field("body_stems", counted.clone()),
        heading_stems: schema.add_text_field("heading_stems", counted.clone()),
        name_stems: schema.add_text_field("name_stems", counted.clone()),
        exact: schema.add_text_field("exact", counted.clone()),
        meanings: schema.add_text_field("meanings", counted.clone()),
        parts: schema.add_text_field("parts", counted),
        language: schema.add_text_field("language", STRING),
    };
    (schema.build(), fields)
}

fn failed(what: &str, error: &io::Error) -> KnowledgeError {
    KnowledgeError::Index(format!("{what}: {error}"))
}
