//! What is known of a quotation that could be made, as numbers, and what they weigh.
//! Invariant: each is 0 to 1; the weights are fitted on the working halves of the sets in
//! `tests/retrieval` by `tests/retrieval/fit.py`, and nowhere else.

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident: $score:literal, $confidence:literal;)*) => {
        /// What is known of a quotation.
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct Features {
            $($(#[$doc])* pub(super) $name: f32,)*
        }

        /// What each feature weighs when quotations are ranked.
        pub(super) const SCORE: Features = Features { $($name: $score,)* };

        /// What each feature weighs when it is decided whether the best is said.
        pub(super) const CONFIDENCE: Confidence = Confidence {
            weights: Features { $($name: $confidence,)* },
            margin: 1.10,
            bias: -1.96,
            least: 0.62,
        };

        impl Features {
            /// Their names, in order.
            pub(super) const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// Their values, in order.
            pub(super) fn values(&self) -> Vec<f32> {
                vec![$(self.$name,)*]
            }

            fn dot(&self, weights: &Self) -> f32 {
                0.0 $(+ self.$name * weights.$name)*
            }
        }
    };
}

features! {
    /// Share of the question that the unit has, itself or by what leads to it.
    share: 1.26, 0.01;
    /// By its own words.
    own: 0.49, -0.75;
    /// The share again, rare words weighing more.
    rare: 1.23, -0.36;
    rare_own: 0.50, 0.09;
    /// By its label: a key, a row's first cell.
    label: 0.51, -0.71;
    /// By the heading and the sentence that lead to it.
    led: 1.31, 0.50;
    /// By the sentences around it.
    beside: -0.25, 2.13;
    /// Share of the telling words that are nowhere near.
    missing: -1.35, -1.83;
    /// A value is asked for, and there is one …
    fits: 1.38, 0.41;
    /// … or there is none.
    unfit: -1.38, -0.26;
    /// It names the days or months that are asked for.
    dated: 0.72, 0.77;
    /// The question's numbers lie within the unit's ranges, or outside.
    within: 0.57, 0.05;
    /// Share of the label's words that the question has.
    precision: 1.45, 1.17;
    /// Share of all its words that the question has.
    precise: 1.29, 0.78;
    /// 1 for the first passage, a half for the second, and so on.
    rank: 0.99, 1.02;
    /// More sentences than one.
    size: 0.09, 0.97;
    length: 0.11, -0.04;
    item: 0.19, 0.89;
    row: 0.60, 0.80;
    /// A whole list or table.
    whole: -0.05, -0.41;
    /// A list is asked for, and it names several things …
    listed: 0.39, -0.14;
    /// … or it does not.
    unlisted: -0.39, -0.36;
    /// Days or months are asked for, and it names none.
    undated: -0.84, 0.01;
    section: 0.56, 0.90;
    /// Its heading is a question.
    section_asked: -0.13, -1.17;
    /// The share of the question that its heading has.
    section_headed: 0.42, -0.05;
    code: 0.0, 0.0;
    /// May it be done is asked, and it allows, forbids or demands.
    rules: 0.32, 0.01;
    /// Several cells of a row.
    cells: -0.50, -2.32;
    /// Facts about the question: the same for all that could answer it.
    valued: 0.0, 0.17;
    leans: 0.0, -0.56;
    terms: 0.0, -0.68;
}

/// How sure one must be.
pub(super) struct Confidence {
    weights: Features,
    /// Of the distance between the best and the next that says something else.
    margin: f32,
    bias: f32,
    /// The least probability with which something is said.
    pub(super) least: f32,
}

impl Features {
    /// By which quotations are ranked.
    pub(super) fn score(&self, weights: &Self) -> f32 {
        self.dot(weights)
    }

    /// How likely it is that this answers: 0 to 1.
    pub(super) fn confidence(&self, margin: f32, confidence: &Confidence) -> f32 {
        let sum = self.dot(&confidence.weights) + confidence.margin * margin + confidence.bias;
        1.0 / (1.0 + (-sum).exp())
    }
}
