//! What is known of a quotation that could be made, as numbers, and what they weigh.
//! Invariant: each is 0 to 1; the weights are fitted on the working halves of the sets in `tests/retrieval` and,
//! for questions in the pages' own words, on the older ones in `tests/fixtures/knowledge`, by
//! `tests/retrieval/fit.py`. How sure one must be (`least`) is chosen by hand: rather silent than wrong.

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
            margin: 0.75,
            bias: -2.12,
            least: 0.55,
            least_near: 0.2,
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
    share: 0.96, 0.0;
    /// By its own words.
    own: 0.50, 0.0;
    /// The share again, rare words weighing more.
    rare: 1.07, 0.56;
    rare_own: 0.62, 0.0;
    /// The same by words alone, whatever they mean.
    spelt: 1.01, 1.02;
    spelt_own: 0.27, 0.0;
    /// How many telling words are met so, up to four …
    hits: 0.50, 0.45;
    /// … and by the unit itself, up to three.
    hits_own: 0.13, 0.36;
    /// The share so of the question's own words, without what leads up to it.
    core: 0.39, 0.19;
    /// Words that are neighbours in the question are so here.
    adjacent: 0.24, 0.66;
    /// By its label: a key, a row's first cell.
    label: 0.51, 0.0;
    /// The question has the label word for word, of two words or more; half for one.
    named: 0.5, 0.3;
    /// The same of the heading.
    headed: 0.3, 0.0;
    /// How many is asked, and a number stands right before what is counted.
    counted: 0.5, 0.3;
    /// By the heading and the sentence that lead to it.
    led: 1.08, 1.39;
    /// By the sentences around it.
    beside: -0.23, 0.0;
    /// Share of the telling words that are nowhere near.
    missing: -0.72, -0.20;
    /// A value is asked for, and there is one …
    fits: 1.14, 0.63;
    /// … or there is none.
    unfit: -1.14, -0.93;
    /// It names the days or months that are asked for.
    dated: 0.36, 0.0;
    /// The question's numbers lie within the unit's ranges, or outside.
    within: 0.27, 0.56;
    /// Share of the label's words that the question has.
    precision: 1.16, 0.69;
    /// Share of all its words that the question has.
    precise: 0.76, 1.05;
    /// 1 for the first passage, a half for the second, and so on.
    rank: 1.29, 0.0;
    /// More sentences than one.
    size: 0.13, 0.0;
    length: 0.27, -0.93;
    item: 0.02, 0.0;
    row: 0.36, 0.0;
    /// A whole list or table.
    whole: 0.14, -0.37;
    /// A list is asked for, and it names several things …
    listed: 0.34, 0.30;
    /// … or it does not.
    unlisted: -0.34, -0.28;
    /// Days or months are asked for, and it names none.
    undated: -0.60, -0.74;
    /// How is asked, and these are steps.
    steps: 0.03, 0.0;
    /// Share of the telling words that no passage has at all.
    absent: 0.0, -1.24;
    section: 0.69, 0.0;
    /// Its heading is a question.
    section_asked: 0.05, 0.0;
    /// The share of the question that its heading has.
    section_headed: 0.65, 0.0;
    code: -0.02, 0.0;
    /// May it be done is asked, and it allows, forbids or demands.
    rules: 0.20, 0.0;
    /// Several cells of a row.
    cells: -0.21, -2.62;
    /// Facts about the question: the same for all that could answer it.
    valued: 0.0, -0.30;
    leans: 0.0, 0.0;
    terms: 0.0, 0.0;
}

/// How sure one must be.
pub(super) struct Confidence {
    weights: Features,
    /// Of the distance between the best and the next that says something else.
    margin: f32,
    bias: f32,
    /// The least probability with which something is said.
    pub(super) least: f32,
    /// The least with which it is shown as what comes closest.
    pub(super) least_near: f32,
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
