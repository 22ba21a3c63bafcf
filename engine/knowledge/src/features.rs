//! The features of a possible quotation, as numbers, and their weights.
//! Invariant: each is 0 to 1 (`within` is -1 to 1); the weights are fitted on the working halves of the sets in
//! `tests/retrieval` and, for questions in the pages' own words, on the older ones in `tests/fixtures/knowledge`, by
//! `tests/retrieval/fit.py`. The least certainty (`least`) is chosen by hand: rather silent than wrong.

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident: $score:literal;)*) => {
        /// What is known of a quotation.
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct Features {
            $($(#[$doc])* pub(super) $name: f32,)*
        }

        /// What each feature weighs when quotations are ranked.
        pub(super) const SCORE: Features = Features { $($name: $score,)* };

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
    share: 0.99;
    /// By its own words.
    own: 0.54;
    /// The share again, rare words weighing more.
    rare: 1.01;
    rare_own: 0.61;
    /// The same by words alone, whatever they mean.
    spelt: 0.71;
    spelt_own: 0.02;
    /// How many telling words are met so, up to four …
    hits: 0.45;
    /// … and by the unit itself, up to three.
    hits_own: 0.14;
    /// The share so of the question's own words, without what leads up to it.
    core: 0.19;
    /// Words that are neighbours in the question are so here.
    adjacent: 0.22;
    /// By its label: a key, a row's first cell.
    label: 0.44;
    /// The question has the label word for word, of two words or more; half for one.
    named: 0.68;
    /// The same of the heading.
    headed: 0.53;
    /// It begins by saying what that is which is asked for: `Tertulia is`.
    defines: 1.50;
    /// How many is asked, and a number stands right before what is counted.
    counted: 0.09;
    /// By the heading and the sentence that lead to it.
    led: 1.07;
    /// By the sentences around it.
    beside: -0.14;
    /// Share of the telling words that are nowhere near.
    missing: -0.80;
    /// A value is asked for, and there is one …
    fits: 1.01;
    /// … or there is none.
    unfit: -1.01;
    /// It names the days or months that are asked for.
    dated: 0.49;
    /// The question's numbers lie within the unit's ranges, or outside.
    within: 0.58;
    /// Share of the label's words that the question has.
    precision: 0.99;
    /// Share of all its words that the question has.
    precise: 0.93;
    /// 1 for the first passage, a half for the second, and so on.
    rank: 1.40;
    /// More sentences than one.
    size: -0.36;
    length: 0.00;
    item: 0.41;
    row: 0.43;
    /// A whole list or table.
    whole: 0.01;
    /// A list is asked for, and it names several things …
    listed: 0.22;
    /// … or it does not.
    unlisted: -0.22;
    /// Days or months are asked for, and it names none.
    undated: -0.87;
    /// How is asked, and these are steps.
    steps: 0.04;
    section: 0.36;
    /// Its heading is a question.
    section_asked: 0.06;
    /// The share of the question that its heading has.
    section_headed: 0.30;
    code: -0.02;
    /// May it be done is asked, and it allows, forbids or demands.
    rules: 0.18;
    /// Several cells of a row.
    cells: -0.40;
}

/// How likely the best quotation answers, by its score and by how far the next stays behind that says something
/// else: the features say no more about it than their sum does.
pub(super) struct Confidence {
    score: f32,
    margin: f32,
    /// Of the share of the telling words that no passage has: what is not spoken of is not answered.
    absent: f32,
    bias: f32,
    /// The least probability with which something is said.
    pub(super) least: f32,
    /// The least with which it is shown as what comes closest.
    pub(super) least_near: f32,
}

/// A greater margin says no more.
const MARGIN_MAX: f32 = 3.0;

pub(super) const CONFIDENCE: Confidence =
    Confidence { score: 0.516, margin: 0.548, absent: -0.666, bias: -3.258, least: 0.72, least_near: 0.25 };

impl Confidence {
    /// How likely it is that a quotation answers: 0 to 1.
    pub(super) fn of(&self, score: f32, margin: f32, absent: f32) -> f32 {
        let margin = margin.clamp(0.0, MARGIN_MAX);
        let sum = self.score * score + self.margin * margin + self.absent * absent + self.bias;
        1.0 / (1.0 + (-sum).exp())
    }
}

impl Features {
    /// By which quotations are ranked.
    pub(super) fn score(&self, weights: &Self) -> f32 {
        self.dot(weights)
    }
}
