//! Answers that a tenant's team has typed: each is a record, and a document that the assistant has learned.
//! Invariant: an answer that is listed was learned as it is listed. One that was learned and could not be
//! written down is not listed; writing or deleting it again mends that.

use std::sync::Arc;

use engine_knowledge::{Document, Knowledge, KnowledgeError};
use engine_store::{RecordName, Records, Scope, StoreError};
use engine_unanswered::key_of;
use schema::limits::{
    ANSWER_BYTES_MAX, ANSWER_ID_CHARS_MAX, ANSWER_QUESTION_CHARS_MAX, ANSWER_QUESTIONS_MAX, ANSWERS_MAX,
};
use schema::wire::{AnswerIn, AnswerView};
use schema::{ErrorCode, TYPED_SOURCE, TenantId, Timestamp};
use tokio::sync::{Mutex, MutexGuard};

const KIND: &str = "answer";
/// Records read at a time to count them: each may be as long as an answer.
const COUNTED_AT_ONCE: usize = 50;
/// Of an id that is made here, the part that people read.
const SLUG_CHARS_MAX: usize = 40;
/// Tenants that share a lock.
const LOCKS: usize = 32;

/// Why an answer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error("an answer's id has 1 to {ANSWER_ID_CHARS_MAX} small letters, digits and hyphens, no hyphen first")]
    Id,
    #[error(
        "`questions` are 1 to {ANSWER_QUESTIONS_MAX}, each one line of at most {ANSWER_QUESTION_CHARS_MAX} characters"
    )]
    Questions,
    #[error("`answer` is empty")]
    Empty,
    #[error("`answer` is longer than {ANSWER_BYTES_MAX} bytes of UTF-8")]
    TooLong,
    #[error("a tenant has at most {ANSWERS_MAX} answers; delete one first")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Knowledge(#[from] KnowledgeError),
}

impl AnswerError {
    /// Its code, where it is the answer's own fault.
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Id | Self::Questions | Self::Empty => Some(ErrorCode::BadField),
            Self::TooLong => Some(ErrorCode::TooLarge),
            Self::TooMany => Some(ErrorCode::QuotaExhausted),
            Self::Store(_) | Self::Knowledge(_) => None,
        }
    }
}

/// All tenants' typed answers.
pub struct Answers {
    knowledge: Knowledge,
    records: Arc<dyn Records>,
    /// Two that write the same answer at once would leave one's words listed and the other's learned.
    locks: [Mutex<()>; LOCKS],
}

/// Whether a document is a typed answer: such a one is learned and forgotten here only.
#[must_use]
pub fn is_answer(source: &str) -> bool {
    source.get(..TYPED_SOURCE.len()).is_some_and(|start| start.eq_ignore_ascii_case(TYPED_SOURCE))
}

/// An id for an answer whose writer has chosen none: the same for the same questions, so that asking twice makes
/// one.
#[must_use]
pub fn made_id(questions: &[String]) -> String {
    let first = questions.first().map_or("", String::as_str).to_lowercase();
    let words = first.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = String::new();
    for word in words {
        if slug.len() + word.len() >= SLUG_CHARS_MAX {
            break;
        }
        slug.push_str(word);
        slug.push('-');
    }
    let key = key_of(&questions.join("\n"));
    slug + key.get(..12).unwrap_or(&key)
}

impl Answers {
    /// Learns answers into `knowledge`, and keeps them in `records`.
    #[must_use]
    pub fn new(knowledge: Knowledge, records: Arc<dyn Records>) -> Self {
        Self { knowledge, records, locks: std::array::from_fn(|_| Mutex::new(())) }
    }

    /// Learns an answer and writes it down, in place of the one with the same id.
    ///
    /// # Errors
    /// What is wrong with it, before anything is done; [`AnswerError::TooMany`]; or why it could not be learned
    /// or written.
    pub async fn put(
        &self,
        tenant: TenantId,
        id: &str,
        answer: AnswerIn,
        now: Timestamp,
    ) -> Result<AnswerView, AnswerError> {
        let answer = checked(id, answer, now)?;
        let _alone = self.lock(tenant).await;
        let known = self.records.get(name(tenant, id)).await?;
        if known.is_none() && self.count(tenant).await? >= ANSWERS_MAX {
            return Err(AnswerError::TooMany);
        }
        let document = Document::new(source(id), text(&answer));
        self.knowledge.learn(tenant, vec![document], now).await?;
        let body = serde_json::to_vec(&answer).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        self.records.put(name(tenant, id), known.map_or(0, |record| record.version), body).await?;
        Ok(answer)
    }

    /// Forgets an answer; false when there is none.
    ///
    /// # Errors
    /// When store or index fail.
    pub async fn delete(&self, tenant: TenantId, id: &str) -> Result<bool, AnswerError> {
        if check_id(id).is_err() {
            return Ok(false);
        }
        let _alone = self.lock(tenant).await;
        let forgotten = self.knowledge.forget(tenant, source(id)).await?;
        let Some(record) = self.records.get(name(tenant, id)).await? else { return Ok(forgotten) };
        self.records.delete(name(tenant, id), record.version).await?;
        Ok(true)
    }

    /// A page, by id, and what to go on after when there may be more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn page(
        &self,
        tenant: TenantId,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<AnswerView>, Option<String>), AnswerError> {
        let records = self.records.scan(Scope::Tenant(tenant), KIND, after, limit).await?;
        let answers = records.iter().map(|record| {
            serde_json::from_slice::<AnswerView>(&record.body)
                .map_err(|error| StoreError::Corrupt(format!("an answer's record: {error}")))
        });
        let answers = answers.collect::<Result<Vec<_>, _>>()?;
        let next = (answers.len() == limit).then(|| answers.last().map(|last| last.id.clone())).flatten();
        Ok((answers, next))
    }

    async fn count(&self, tenant: TenantId) -> Result<usize, StoreError> {
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.records.scan(Scope::Tenant(tenant), KIND, after, COUNTED_AT_ONCE).await?;
            count += page.len();
            if page.len() < COUNTED_AT_ONCE || count >= ANSWERS_MAX {
                return Ok(count);
            }
            after = page.into_iter().next_back().map(|record| record.id);
        }
    }

    async fn lock(&self, tenant: TenantId) -> MutexGuard<'_, ()> {
        let at = tenant.as_bytes().iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
        // The array is not empty, so there always is one.
        self.locks[at % LOCKS].lock().await
    }
}

fn check_id(id: &str) -> Result<(), AnswerError> {
    let fits = id.len() <= ANSWER_ID_CHARS_MAX && id.bytes().next().is_some_and(|first| first != b'-');
    let plain = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits && plain { Ok(()) } else { Err(AnswerError::Id) }
}

fn checked(id: &str, answer: AnswerIn, now: Timestamp) -> Result<AnswerView, AnswerError> {
    check_id(id)?;
    let AnswerIn { questions, answer, .. } = answer;
    if !(1..=ANSWER_QUESTIONS_MAX).contains(&questions.len()) {
        return Err(AnswerError::Questions);
    }
    let questions: Vec<String> = questions.iter().map(|question| question.trim().to_owned()).collect();
    let is_line = |question: &String| {
        let fits = question.chars().nth(ANSWER_QUESTION_CHARS_MAX).is_none();
        fits && question.chars().any(char::is_alphanumeric) && !question.chars().any(is_break)
    };
    if !questions.iter().all(is_line) {
        return Err(AnswerError::Questions);
    }
    if answer.trim().is_empty() {
        return Err(AnswerError::Empty);
    }
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(AnswerError::TooLong);
    }
    Ok(AnswerView { id: id.to_owned(), questions, answer, updated_at: now })
}

/// Whether a character would end a heading, or is not seen.
fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The document: under each question the answer, so that each is found by its own words.
fn text(answer: &AnswerView) -> String {
    let sections = answer.questions.iter().map(|question| format!("# {question}\n\n{}\n", answer.answer));
    sections.collect::<Vec<_>>().join("\n")
}

fn source(id: &str) -> String {
    format!("{TYPED_SOURCE}{id}")
}

fn name(tenant: TenantId, id: &str) -> RecordName {
    RecordName { scope: Scope::Tenant(tenant), kind: KIND, id: id.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_an_answer_is_refused() {
        let line = |chars: usize| "é".repeat(chars);
        let one = || vec!["Is there parking?".to_owned()];
        for (id, questions, answer, code) in [
            ("parking", one(), "Yes.".into(), None),
            ("a", vec![line(ANSWER_QUESTION_CHARS_MAX); ANSWER_QUESTIONS_MAX], "x".repeat(ANSWER_BYTES_MAX), None),
            (&*"a".repeat(ANSWER_ID_CHARS_MAX), one(), "Yes.".into(), None),
            (&*"a".repeat(ANSWER_ID_CHARS_MAX + 1), one(), "Yes.".into(), Some(ErrorCode::BadField)),
            ("", one(), "Yes.".into(), Some(ErrorCode::BadField)),
            ("-a", one(), "Yes.".into(), Some(ErrorCode::BadField)),
            ("A", one(), "Yes.".into(), Some(ErrorCode::BadField)),
            ("a/b", one(), "Yes.".into(), Some(ErrorCode::BadField)),
            ("a.txt", one(), "Yes.".into(), Some(ErrorCode::BadField)),
            ("a", Vec::new(), "Yes.".into(), Some(ErrorCode::BadField)),
            ("a", vec![line(1); ANSWER_QUESTIONS_MAX + 1], "Yes.".into(), Some(ErrorCode::BadField)),
            ("a", vec![line(ANSWER_QUESTION_CHARS_MAX + 1)], "Yes.".into(), Some(ErrorCode::BadField)),
            ("a", vec!["one\ntwo".into()], "Yes.".into(), Some(ErrorCode::BadField)),
            ("a", vec![" ? ".into()], "Yes.".into(), Some(ErrorCode::BadField)),
            ("a", one(), " \n".into(), Some(ErrorCode::BadField)),
            ("a", one(), "x".repeat(ANSWER_BYTES_MAX + 1), Some(ErrorCode::TooLarge)),
        ] {
            let checked = checked(id, AnswerIn { questions, answer, unanswered: None }, Timestamp::from_millis(0));
            assert_eq!(checked.err().and_then(|error| error.code()), code, "{id}");
        }
    }

    #[test]
    fn made_ids_are_readable_and_their_own() {
        let id = |question: &str| made_id(&[question.to_owned()]);
        assert!(id("Is there parking?").starts_with("is-there-parking-"), "{}", id("Is there parking?"));
        for question in ["Is there parking?", "駐車場はありますか", "", "- - -", &"x".repeat(300), &"word ".repeat(60)]
        {
            assert!(check_id(&id(question)).is_ok(), "{}", id(question));
        }
        assert_eq!(id("Is there parking?"), id("Is there parking?"));
        assert_ne!(id("駐車場はありますか"), id("営業時間は"));
        assert!(is_answer("answer:x") && is_answer("ANSWER:x") && !is_answer("answers") && !is_answer(""));
    }
}
