//! The lists of words that a language has, and sets of them.
//! Invariant: every list has a bit of its own.

/// What a question's form may say about its answer; also other lists of words that are needed by
/// name. One row of each language's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Small,
    Common,
    Amount,
    Clock,
    When,
    Duration,
    Count,
    Phone,
    Mail,
    Address,
    Where,
    Who,
    Can,
    How,
    Kinds,
    Why,
    Leans,
    Pronouns,
    To,
    /// What stands between a thing and what it is.
    Copula,
    Noon,
    Closed,
    Free,
    TimeUnits,
    Negation,
    Modal,
    Numbers,
    /// Words of measures other than money.
    Measure,
    Weekdays,
    Weekend,
    Daily,
    Day(u8),
    Month(u8),
    Season(u8),
}

pub(super) const LISTS: [(&str, List); 54] = [
    ("small", List::Small),
    ("common", List::Common),
    ("amount", List::Amount),
    ("clock", List::Clock),
    ("when", List::When),
    ("duration", List::Duration),
    ("count", List::Count),
    ("phone", List::Phone),
    ("mail", List::Mail),
    ("address", List::Address),
    ("where", List::Where),
    ("who", List::Who),
    ("can", List::Can),
    ("how", List::How),
    ("list", List::Kinds),
    ("why", List::Why),
    ("leans", List::Leans),
    ("pronouns", List::Pronouns),
    ("to", List::To),
    ("copula", List::Copula),
    ("noon", List::Noon),
    ("closed", List::Closed),
    ("free", List::Free),
    ("units_time", List::TimeUnits),
    ("negation", List::Negation),
    ("modal", List::Modal),
    ("numbers", List::Numbers),
    ("measure", List::Measure),
    ("weekdays", List::Weekdays),
    ("weekend", List::Weekend),
    ("daily", List::Daily),
    ("mon", List::Day(0)),
    ("tue", List::Day(1)),
    ("wed", List::Day(2)),
    ("thu", List::Day(3)),
    ("fri", List::Day(4)),
    ("sat", List::Day(5)),
    ("sun", List::Day(6)),
    ("jan", List::Month(0)),
    ("feb", List::Month(1)),
    ("mar", List::Month(2)),
    ("apr", List::Month(3)),
    ("may", List::Month(4)),
    ("jun", List::Month(5)),
    ("jul", List::Month(6)),
    ("aug", List::Month(7)),
    ("sep", List::Month(8)),
    ("oct", List::Month(9)),
    ("nov", List::Month(10)),
    ("dec", List::Month(11)),
    ("spring", List::Season(0)),
    ("summer", List::Season(1)),
    ("autumn", List::Season(2)),
    ("winter", List::Season(3)),
];

impl List {
    /// Which of them it is.
    pub(super) const fn place(self) -> usize {
        let place = match self {
            Self::Small => 0,
            Self::Common => 1,
            Self::Amount => 2,
            Self::Clock => 3,
            Self::When => 4,
            Self::Duration => 5,
            Self::Count => 6,
            Self::Phone => 7,
            Self::Mail => 8,
            Self::Address => 9,
            Self::Where => 10,
            Self::Who => 11,
            Self::Can => 12,
            Self::How => 13,
            Self::Kinds => 14,
            Self::Why => 15,
            Self::Leans => 16,
            Self::Pronouns => 17,
            Self::To => 18,
            Self::Copula => 23,
            Self::Noon => 19,
            Self::Closed => 20,
            Self::Free => 21,
            Self::TimeUnits => 22,
            Self::Negation => 24,
            Self::Modal => 25,
            Self::Numbers => 26,
            Self::Measure => 27,
            Self::Weekdays => 28,
            Self::Weekend => 29,
            Self::Daily => 30,
            Self::Day(n) => 31 + n,
            Self::Month(n) => 38 + n,
            Self::Season(n) => 50 + n,
        };
        place as usize
    }

    /// Its bit: every word of a text is looked for in many lists, and one number says which have it.
    const fn bit(self) -> u64 {
        1 << self.place()
    }
}

/// Several lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lists(u64);

impl Lists {
    /// All of a few.
    pub(crate) const fn of(lists: &[List]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < lists.len() {
            bits |= lists[at].bit();
            at += 1;
        }
        Self(bits)
    }

    /// All of both.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a list is among them.
    pub(crate) const fn has(self, list: List) -> bool {
        self.0 & list.bit() != 0
    }

    /// Whether any of the others is among them.
    pub(crate) const fn has_any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_has_a_bit_of_its_own() {
        let all = Lists::of(&LISTS.map(|(_, list)| list));
        assert_eq!(all.0.count_ones() as usize, LISTS.len());
    }
}
