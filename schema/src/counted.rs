//! How many of something, in words.

use std::fmt;

/// `1 page`, `2 pages`, `0 addresses`.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    count: usize,
    one: &'static str,
}

/// How many of something, which is named as one of it is.
#[must_use]
pub const fn counted(count: usize, one: &'static str) -> Counted {
    Counted { count, one }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, one } = self;
        let ending = match count {
            1 => "",
            _ if one.ends_with('s') => "es",
            _ => "s",
        };
        write!(f, "{count} {one}{ending}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        for (count, one, words) in [
            (0, "passage", "0 passages"),
            (1, "passage", "1 passage"),
            (2, "passage", "2 passages"),
            (1, "address", "1 address"),
            (3, "address", "3 addresses"),
        ] {
            assert_eq!(counted(count, one).to_string(), words);
        }
    }
}
