//! What is known of a quotation that could be made, as numbers, and what they weigh.
//! Invariant: each is 0 to 1; the weights are fitted on the working halves of the sets in `tests/retrieval` and,
//! for questions in the pages' own words, on the older ones in `tests/fixtures/knowledge`, by
//! `tests/retrieval/fit.py`. How sure one must be (`least`) is chosen by hand: rather silent than wrong.

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
    share: 1.03;
    /// By its own words.
    own: 0.59;
    /// The share again, rare words weighing more.
    rare: 1.10;
    rare_own: 0.68;
    /// The same by words alone, whatever they mean.
    spelt: 0.84;
    spelt_own: 0.15;
    /// How many telling words are met so, up to four …
    hits: 0.40;
    /// … and by the unit itself, up to three.
    hits_own: 0.05;
    /// The share so of the question's own words, without what leads up to it.
    core: 0.23;
    /// Words that are neighbours in the question are so here.
    adjacent: 0.13;
    /// By its label: a key, a row's first cell.
    label: 0.52;
    /// The question has the label word for word, of two words or more; half for one.
    named: 0.56;
    /// The same of the heading.
    headed: 0.62;
    /// How many is asked, and a number stands right before what is counted.
    counted: 0.09;
    /// By the heading and the sentence that lead to it.
    led: 1.01;
    /// By the sentences around it.
    beside: -0.01;
    /// Share of the telling words that are nowhere near.
    missing: -0.77;
    /// A value is asked for, and there is one …
    fits: 0.99;
    /// … or there is none.
    unfit: -0.99;
    /// It names the days or months that are asked for.
    dated: 0.33;
    /// The question's numbers lie within the unit's ranges, or outside.
    within: 0.52;
    /// Share of the label's words that the question has.
    precision: 1.11;
    /// Share of all its words that the question has.
    precise: 0.85;
    /// 1 for the first passage, a half for the second, and so on.
    rank: 1.39;
    /// More sentences than one.
    size: -0.27;
    length: 0.07;
    item: 0.19;
    row: 0.35;
    /// A whole list or table.
    whole: -0.17;
    /// A list is asked for, and it names several things …
    listed: 0.19;
    /// … or it does not.
    unlisted: -0.19;
    /// Days or months are asked for, and it names none.
    undated: -0.54;
    /// How is asked, and these are steps.
    steps: 0.06;
    section: 0.37;
    /// Its heading is a question.
    section_asked: 0.10;
    /// The share of the question that its heading has.
    section_headed: 0.35;
    code: -0.01;
    /// May it be done is asked, and it allows, forbids or demands.
    rules: 0.17;
    /// Several cells of a row.
    cells: -0.34;
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
    Confidence { score: 0.470, margin: 0.538, absent: -2.5, bias: -2.75, least: 0.55, least_near: 0.28 };

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
