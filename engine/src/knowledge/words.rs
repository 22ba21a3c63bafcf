//! Words as the index knows them: small letters, no accents, with and without their endings.
//! Invariant: questions and documents go through the same function.

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, Stemmer, TextAnalyzer, Token, TokenStream, Tokenizer,
};

/// A longer word, in bytes, is known by its beginning.
const WORD_BYTES_MAX: usize = 64;

/// One word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// As it stands, in small letters and without accents.
    pub(super) exact: String,
    /// Without English endings; words of other languages lose some of theirs too, the same way
    /// in questions and documents.
    pub(super) stem: String,
}

/// The words of a text in order. Scripts written without spaces give pairs of characters.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut exact = scan(text);
    if exact.iter().any(|token| !token.text.is_ascii()) {
        exact = through(TextAnalyzer::builder(Given(exact)).filter(LowerCaser).filter(AsciiFoldingFilter).build());
    } else {
        exact.iter_mut().for_each(|token| token.text.make_ascii_lowercase());
    }
    let stems = through(TextAnalyzer::builder(Given(exact.clone())).filter(Stemmer::new(Language::English)).build());
    exact.into_iter().zip(stems).map(|(exact, stem)| Word { exact: exact.text, stem: stem.text }).collect()
}

fn through(mut analyzer: TextAnalyzer) -> Vec<Token> {
    let mut stream = analyzer.token_stream("");
    let mut tokens = Vec::new();
    while stream.advance() {
        tokens.push(std::mem::take(stream.token_mut()));
    }
    tokens
}

/// Words that are cut already, for tantivy's filters.
#[derive(Clone)]
struct Given(Vec<Token>);

struct Giving {
    tokens: std::vec::IntoIter<Token>,
    now: Token,
}

impl Tokenizer for Given {
    type TokenStream<'a> = Giving;

    fn token_stream<'a>(&'a mut self, _: &'a str) -> Giving {
        Giving { tokens: std::mem::take(&mut self.0).into_iter(), now: Token::default() }
    }
}

impl TokenStream for Giving {
    fn advance(&mut self) -> bool {
        let next = self.tokens.next();
        let has_next = next.is_some();
        self.now = next.unwrap_or_default();
        has_next
    }

    fn token(&self) -> &Token {
        &self.now
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.now
    }
}

/// Cuts a text into words: letters and digits belong together, `don't` is one word, `shop's` is
/// `shop`, `l'eau` is two, and `wi-fi` is also `wifi`.
fn scan(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    // Whether a hyphen alone stands between the last run and this one.
    let mut hyphenated: Option<&str> = None;
    while let Some(start) = rest.find(char::is_alphanumeric) {
        let between = &rest[..start];
        rest = &rest[start..];
        let length = run_length(rest);
        let run = &rest[..length];
        rest = &rest[length..];
        if run.chars().any(is_spaceless) {
            pairs(run, &mut tokens);
            hyphenated = None;
            continue;
        }
        for part in without_apostrophes(run) {
            push(&part, &mut tokens);
        }
        if let Some(before) = hyphenated.filter(|_| matches!(between, "-" | "‑"))
            && before.len() + run.len() <= 24
        {
            push(&format!("{before}{run}"), &mut tokens);
        }
        hyphenated = Some(run);
    }
    tokens
}

/// Letters and digits, and apostrophes between letters.
fn run_length(rest: &str) -> usize {
    let mut chars = rest.char_indices().peekable();
    let mut end = 0;
    while let Some((at, c)) = chars.next() {
        let joins = matches!(c, '\'' | '’') && chars.peek().is_some_and(|(_, next)| next.is_alphabetic());
        if !c.is_alphanumeric() && !joins {
            break;
        }
        end = at + c.len_utf8();
    }
    end
}

fn without_apostrophes(run: &str) -> Vec<String> {
    let mut parts: Vec<&str> = run.split(['\'', '’']).collect();
    if parts.len() > 1 && parts.last().is_some_and(|last| last.eq_ignore_ascii_case("s")) {
        parts.pop();
    }
    // French and Italian put short words before the apostrophe, English after it.
    let elided = parts.len() > 1 && parts[0].chars().count() <= 2 && parts[1].chars().count() > 2;
    if elided { parts.into_iter().map(String::from).collect() } else { vec![parts.concat()] }
}

/// Chinese, Japanese, Korean and Thai: every two neighbours are a word.
fn pairs(run: &str, tokens: &mut Vec<Token>) {
    let chars: Vec<char> = run.chars().collect();
    if chars.len() == 1 {
        push(run, tokens);
    }
    for pair in chars.windows(2) {
        push(&pair.iter().collect::<String>(), tokens);
    }
}

fn is_spaceless(c: char) -> bool {
    matches!(u32::from(c), 0x0E00..=0x0E7F | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

fn push(word: &str, tokens: &mut Vec<Token>) {
    let text = word[..word.floor_char_boundary(WORD_BYTES_MAX)].to_string();
    tokens.push(Token { position: tokens.len(), text, ..Token::default() });
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_are_cut_folded_and_stemmed() {
        for (text, exact, stems) in [
            ("Returning the Parcels", "returning the parcels", "return the parcel"),
            ("Don't! The shop’s l'eau", "dont the shop l eau", "dont the shop l eau"),
            ("Café Größe DEVOLUCIÓN", "cafe grosse devolucion", "cafe gross devolucion"),
            ("wi-fi E04 rate_limited", "wi fi wifi e04 rate limited", "wi fi wifi e04 rate limit"),
            ("返品方法", "返品 品方 方法", "返品 品方 方法"),
            ("… — !", "", ""),
        ] {
            let found = words(text);
            assert_eq!(found.iter().map(|w| w.exact.as_str()).collect::<Vec<_>>().join(" "), exact);
            assert_eq!(found.iter().map(|w| w.stem.as_str()).collect::<Vec<_>>().join(" "), stems);
        }
    }
}
