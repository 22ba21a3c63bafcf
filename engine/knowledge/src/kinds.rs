//! Tells the kind of answer that a question asks for, by its form.
//! Invariant: tells what is asked for and never what about.

use super::language::{Language, List};
use super::values::{Values, contains, places};
use super::words::{self, fold};

/// What kind of answer is asked for; one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u16);

impl Kinds {
    pub(super) const AMOUNT: Self = Self(1);
    pub(super) const CLOCK: Self = Self(1 << 1);
    pub(super) const WHEN: Self = Self(1 << 2);
    pub(super) const DURATION: Self = Self(1 << 3);
    pub(super) const COUNT: Self = Self(1 << 4);
    pub(super) const PHONE: Self = Self(1 << 5);
    pub(super) const MAIL: Self = Self(1 << 6);
    pub(super) const ADDRESS: Self = Self(1 << 7);
    pub(super) const WHERE: Self = Self(1 << 8);
    pub(super) const WHO: Self = Self(1 << 9);
    pub(super) const CAN: Self = Self(1 << 10);
    pub(super) const HOW: Self = Self(1 << 11);
    pub(super) const KINDS: Self = Self(1 << 12);
    pub(super) const WHY: Self = Self(1 << 13);
    /// A share of an amount: a discount, a rate. Asked for beside the amount.
    pub(super) const SHARE: Self = Self(1 << 14);

    /// Those that a page answers with a value that can be recognised.
    const VALUED: Self = Self(0x7f | 0x80);

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether only an answer with a value will do.
    pub(super) const fn is_valued(self) -> bool {
        self.has(Self::VALUED)
    }

    /// What a passage must have of which any will do; nothing when words alone may answer.
    pub(super) fn values(self) -> Values {
        let mut values = Values::default();
        for (kind, fits) in [
            (Self::AMOUNT, Values::MONEY.and(Values::FREE)),
            (Self::SHARE, Values::PERCENT),
            (Self::CLOCK, Values::CLOCK.and(Values::CLOSED)),
            (Self::WHEN, Values::CLOCK.and(Values::DATE).and(Values::DAY).and(Values::DURATION).and(Values::CLOSED)),
            (Self::DURATION, Values::DURATION.and(Values::CLOCK)),
            (Self::COUNT, Values::NUMBER.and(Values::MONEY)),
            (Self::PHONE, Values::PHONE),
            (Self::MAIL, Values::MAIL),
            (Self::ADDRESS, Values::ADDRESS),
        ] {
            if self.has(kind) {
                values = values.and(fits);
            }
        }
        values
    }
}

/// Pieces of words for what is a share of an amount, folded, in the languages that are read.
const SHARES: &[&str] = &[
    "%",
    "percent",
    "per cent",
    "discount",
    " off ",
    "vat",
    "tax",
    "interest",
    "commission",
    "deposit",
    " tip",
    "service charge",
    "prozent",
    "rabatt",
    "ermassig",
    "ermaessig",
    "steuer",
    "zins",
    "provision",
    "skonto",
    "anzahlung",
    "remise",
    "reduction",
    "reduc",
    "pour cent",
    "tva",
    "interet",
    "acompte",
    "descuento",
    "por ciento",
    "iva",
    "impuesto",
    "interes",
    "comision",
    "sconto",
    "percento",
    "tassa",
    "acconto",
    "desconto",
    "imposto",
    "juros",
    "korting",
    "btw",
    "rente",
    "procent",
    "znizk",
    "podat",
    "odset",
    "скидк",
    "процент",
    "налог",
    "kdv",
    "indirim",
    "moms",
    "ranta",
    "خصم",
    "ضريبة",
    "折扣",
    "税",
    "割引",
    "할인",
    "세금",
];

/// A question's first words stand in so many bytes.
const BEGINNING_BYTES: usize = 96;

pub(super) const CUES: &[(List, Kinds)] = &[
    (List::Amount, Kinds::AMOUNT),
    (List::Clock, Kinds::CLOCK),
    (List::When, Kinds::WHEN),
    (List::Duration, Kinds::DURATION),
    (List::Count, Kinds::COUNT),
    (List::Phone, Kinds::PHONE),
    (List::Mail, Kinds::MAIL),
    (List::Address, Kinds::ADDRESS),
    (List::Where, Kinds::WHERE),
    (List::Who, Kinds::WHO),
    (List::Can, Kinds::CAN),
    (List::How, Kinds::HOW),
    (List::Kinds, Kinds::KINDS),
    (List::Why, Kinds::WHY),
];

/// The kinds of answer for which a clause asks with its first words.
pub(super) fn begins_question(text: &str, language: Language) -> Kinds {
    // A text may hold many joints, and is looked at from each of them.
    let start = &text[..text.floor_char_boundary(BEGINNING_BYTES)];
    let start = words::folded(start).into_iter().take(4).collect::<Vec<_>>();
    let mut kinds = Kinds::default();
    for length in 1..=start.len() {
        let phrase = start[..length].join(" ");
        for (list, kind) in CUES {
            let asks = matches!(
                *list,
                List::Phone | List::Mail | List::Address | List::Clock | List::Kinds | List::Can | List::Count
            );
            let counts = !asks || length > 1 || *list == List::Kinds && phrase == "which";
            if counts && language.has(*list, &phrase) {
                kinds = kinds.and(*kind);
            }
        }
    }
    kinds
}

pub(super) fn kinds_of(text: &str, language: Language) -> Kinds {
    let line = format!(" {} ", fold(text));
    let mut kinds = cued(&line, language);
    let begins = begins_question(text, language);
    if kinds.has(Kinds::AMOUNT) && measures(&line, language) {
        kinds = kinds.without(Kinds::AMOUNT).and(Kinds::COUNT);
    }
    // What is asked for by number needs no more general reading.
    if kinds.has(Kinds::AMOUNT) {
        if SHARES.iter().any(|word| line.contains(word)) {
            kinds = kinds.and(Kinds::SHARE);
        }
        kinds = kinds.without(Kinds::COUNT);
        if !begins.has(Kinds::CLOCK.and(Kinds::WHEN)) {
            kinds = kinds.without(Kinds::CLOCK);
        }
    }
    if kinds.has(Kinds::KINDS) {
        kinds = kinds.without(Kinds::COUNT);
    }
    if kinds.has(Kinds::CLOCK) {
        kinds = kinds.without(Kinds::WHEN);
    }
    // `Can I pay by phone?` asks whether, and for no number.
    if begins.has(Kinds::CAN) && !begins.has(Kinds::AMOUNT.and(Kinds::DURATION)) {
        let whether = Kinds::AMOUNT.and(Kinds::COUNT).and(Kinds::PHONE).and(Kinds::MAIL).and(Kinds::ADDRESS);
        kinds = kinds.without(whether.and(Kinds::DURATION).and(Kinds::WHERE).and(Kinds::WHO));
    }
    kinds
}

/// The kinds whose cues stand in a folded line. A cue within a longer one does not count: who asks who is in
/// charge asks for no charge.
fn cued(line: &str, language: Language) -> Kinds {
    let mut found: Vec<(std::ops::Range<usize>, Kinds)> = Vec::new();
    for (list, kind) in CUES {
        for cue in language.entries(*list) {
            found.extend(places(line, cue).map(|place| (place, *kind)));
        }
    }
    found.sort_by_key(|(place, _)| (place.start, std::cmp::Reverse(place.end)));
    let mut kinds = Kinds::default();
    let mut reach = 0..0;
    for (place, kind) in found {
        let within = place.end <= reach.end && place != reach;
        if !within {
            kinds = kinds.and(kind);
            reach = place;
        }
    }
    kinds
}

/// `How much luggage` and `how much does it weigh` ask for a measure and no price.
fn measures(line: &str, language: Language) -> bool {
    const HOW_MUCH: &[&str] =
        &["how much", "wie viel", "wieviel", "cuanto", "cuanta", "combien de", "quanto", "quanta", "hoeveel"];
    let priced = |cue: &&str| !HOW_MUCH.contains(cue) && language.has(List::Amount, cue) && contains(line, cue);
    if language.entries(List::Amount).any(|cue| priced(&cue) && !HOW_MUCH.iter().any(|how| cue.starts_with(how))) {
        return false;
    }
    if language.entries(List::Measure).any(|word| contains(line, word)) {
        return true;
    }
    let next = HOW_MUCH.iter().find_map(|how| line.split_once(&format!(" {how} ")).map(|(_, rest)| rest));
    let next = next.and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    matches!(language, Language::English)
        && !next.is_empty()
        && !language.is_small(next)
        && !language.has(List::Common, next)
}
