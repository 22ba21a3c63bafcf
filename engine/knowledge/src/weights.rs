//! What a search gives for what it finds.

/// How a search weighs what it finds. Other weights than [`Weights::USED`] are for measuring what
/// each is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// A hit in a passage's text.
    pub body: f32,
    /// In its headings.
    pub heading: f32,
    /// In its document's name.
    pub name: f32,
    /// Of the whole word, endings included.
    pub exact: f32,
    /// What a misspelt word counts, compared to one that is spelt right.
    pub misspelt: f32,
    /// What another word with the same meaning counts.
    pub meaning: f32,
    /// What it counts that a passage has a value of the asked kind.
    pub value: f32,
    /// What it counts how well a piece of the passage answers, compared to the passage's own score.
    pub quotable: f32,
    /// How much of a passage's score depends on the share of the question that it has, 0 to 1.
    pub coverage: f32,
}

impl Weights {
    /// What answers are made with; `tests/retrieval/run` measures them against others.
    pub const USED: Self = Self {
        body: 1.0,
        heading: 0.5,
        name: 0.3,
        exact: 0.4,
        misspelt: 0.8,
        meaning: 0.8,
        value: 0.6,
        quotable: 0.4,
        coverage: 0.8,
    };
    /// Only how often words occur in a passage's text, and how rare they are.
    pub const BM25: Self = Self {
        body: 1.0,
        heading: 0.0,
        name: 0.0,
        exact: 0.0,
        misspelt: 0.0,
        meaning: 0.0,
        value: 0.0,
        quotable: 0.0,
        coverage: 0.0,
    };
}
