//! Bodies by which a tenant's team makes the assistant better: unanswered questions, typed answers, verdicts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConversationId, Seq, Timestamp, limits};

/// `GET /v1/unanswered`: questions that the assistant did not answer, or answered wrongly; newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnansweredList {
    /// At most `limit` groups of like questions.
    pub questions: Vec<UnansweredQuestion>,
    /// Give this as `?after=` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Questions of the same words, as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnansweredQuestion {
    /// Its name in `DELETE /v1/unanswered/{key}` and in `unanswered` of a typed answer.
    pub key: String,
    /// The question as it was asked last.
    pub question: String,
    /// How often it was asked.
    pub count: u64,
    /// When it was asked last.
    pub last_at: Timestamp,
    /// True where somebody of the team has said of a reply to it that it was wrong.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wrong: bool,
    /// Where it was asked, newest first; the oldest are left out.
    pub conversations: Vec<UnansweredAt>,
}

/// Where a question was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnansweredAt {
    /// The conversation's id.
    pub id: ConversationId,
    /// The `seq` of the reply that did not answer it.
    pub seq: Seq,
}

/// `PUT /v1/answers/{id}` and `POST /v1/answers`: questions, and what is to be answered to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerIn {
    /// 1 to 10, each in one line.
    #[schemars(length(min = 1, max = limits::ANSWER_QUESTIONS_MAX))]
    #[schemars(inner(length(max = limits::ANSWER_QUESTION_CHARS_MAX), regex(pattern = limits::QUESTION_PATTERN)))]
    pub questions: Vec<String>,
    /// The answer, Markdown or plain text.
    #[schemars(length(max = limits::ANSWER_BYTES_MAX), regex(pattern = r"\S"))]
    pub answer: String,
    /// `key` of an unanswered question that is answered by it, and leaves that list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<String>,
}

/// An answer that the team has typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerView {
    /// The id that the team chose, or that was made for it.
    pub id: String,
    /// The questions to which it is the answer.
    pub questions: Vec<String>,
    /// The answer, Markdown or plain text.
    pub answer: String,
    /// When it was written last.
    pub updated_at: Timestamp,
}

/// `GET /v1/answers`: the typed answers, sorted by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerList {
    /// At most `limit` answers.
    pub answers: Vec<AnswerView>,
    /// Give this as `?after=` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Whether a reply was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The reply was wrong.
    Wrong,
    /// The reply was right.
    Right,
}

impl Verdict {
    /// The name on the wire and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Right => "right",
        }
    }
}

/// `POST /v1/conversations/{id}/messages/{seq}/verdict`: the team judges a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictIn {
    /// The judgement.
    pub verdict: Verdict,
    /// The reason, for the team's own eyes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::VERDICT_NOTE_CHARS_MAX))]
    pub note: Option<String>,
}

/// A verdict on a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictView {
    /// The `seq` of the reply.
    pub seq: Seq,
    /// The judgement.
    pub verdict: Verdict,
    /// The reason, where the team gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it was given.
    pub at: Timestamp,
}
