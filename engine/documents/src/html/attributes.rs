//! Counts the attributes of the tag that the tokenizer is in the middle of: it compares each with all
//! before it, and says nothing until the tag ends.
//! Invariant: begun where the tokenizer begins a tag, it sees the same attributes, piece by piece.

/// A place in a tag, as the standard's tokenizer has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Behind `<`.
    Open,
    /// Behind `</`.
    OpenEnd,
    Name,
    BeforeAttribute,
    Attribute,
    BeforeValue,
    Bare,
    Quoted(char),
    /// No tag: a comment, a declaration, text.
    Other,
}

/// The tag being read.
pub(super) struct Attributes {
    place: Place,
    /// Attributes begun so far.
    pub(super) count: usize,
}

impl Attributes {
    /// Behind a `<`.
    pub(super) const fn begin() -> Self {
        Self { place: Place::Open, count: 0 }
    }

    /// Reads on until `count` is `most` or the text ends; gives the bytes read.
    pub(super) fn read(&mut self, text: &str, most: usize) -> usize {
        for (at, c) in text.char_indices() {
            if self.place == Place::Other {
                break;
            }
            let was = self.count;
            self.step(c);
            if self.count > was && self.count >= most {
                return at + c.len_utf8();
            }
        }
        text.len()
    }

    fn step(&mut self, c: char) {
        let blank = matches!(c, '\t' | '\n' | '\u{c}' | '\r' | ' ');
        self.place = match self.place {
            Place::Open if c == '/' => Place::OpenEnd,
            Place::Open | Place::OpenEnd if c.is_ascii_alphabetic() => Place::Name,
            Place::Open | Place::OpenEnd | Place::Other => Place::Other,
            Place::Quoted(mark) if c == mark => Place::BeforeAttribute,
            Place::Quoted(mark) => Place::Quoted(mark),
            _ if c == '>' => Place::Other,
            Place::Name if blank || c == '/' => Place::BeforeAttribute,
            Place::Name => Place::Name,
            Place::BeforeAttribute if blank || c == '/' => Place::BeforeAttribute,
            // An equals sign in front of a name is its first letter.
            Place::BeforeAttribute => {
                self.count += 1;
                Place::Attribute
            }
            Place::Attribute if c == '=' => Place::BeforeValue,
            // Behind blanks an equals sign still gives the value: then one is counted too many.
            Place::Attribute if blank || c == '/' => Place::BeforeAttribute,
            Place::Attribute => Place::Attribute,
            Place::BeforeValue if blank => Place::BeforeValue,
            Place::BeforeValue if matches!(c, '"' | '\'') => Place::Quoted(c),
            Place::BeforeValue => Place::Bare,
            Place::Bare if blank => Place::BeforeAttribute,
            Place::Bare => Place::Bare,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_counted_as_the_standard_reads_them() {
        for (tag, expected) in [
            ("p", 0),
            ("p a", 1),
            ("p a b c>d e", 3),
            ("p a=1 b='x y z' c=\"< > u\" d", 4),
            ("p/a/b", 2),
            ("p a='1'b='2'", 2),
            ("/p a b", 2),
            ("!-- a b c", 0),
            ("? a b", 0),
            (" a b", 0),
            ("p =a b", 2),
            ("p a=b/c d", 2),
            ("p a= >b c", 1),
        ] {
            let mut whole = Attributes::begin();
            assert_eq!((whole.read(tag, usize::MAX), whole.count), (tag.len(), expected), "{tag}");
            let mut cut = Attributes::begin();
            for c in tag.chars() {
                cut.read(c.encode_utf8(&mut [0; 4]), usize::MAX);
            }
            assert_eq!(cut.count, expected, "{tag}");
        }
        assert_eq!(Attributes::begin().read("p a b c", 2), 5);
    }
}
