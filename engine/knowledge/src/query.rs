//! A question as it is put to the documents.

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The contact's newest words.
    pub question: String,
    /// What they said before, oldest first: a question may lean on it.
    pub before: Vec<String>,
}

impl From<&str> for Query {
    fn from(question: &str) -> Self {
        Self { question: question.into(), before: Vec::new() }
    }
}

impl From<&String> for Query {
    fn from(question: &String) -> Self {
        question.as_str().into()
    }
}
