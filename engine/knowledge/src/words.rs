//! Words as the index knows them, with their endings: small letters, no accents. Without them: see `stems`.
//! Invariant: questions and documents go through the same functions.

use std::borrow::Cow;

use tantivy::tokenizer::{AsciiFoldingFilter, TextAnalyzer, Token, TokenStream, Tokenizer};

use engine_text::raised::is_shifted;

/// A longer word, in bytes, is known by its beginning.
const WORD_BYTES_MAX: usize = 64;
/// Two words with a hyphen between them are also one, when they are no longer than this together.
const JOINED_BYTES_MAX: usize = 24;

/// The words of a text without their stems.
pub(super) fn folded(text: &str) -> Vec<String> {
    let mut tokens = scan(text);
    if tokens.iter().all(|token| token.is_ascii()) {
        tokens.iter_mut().for_each(|token| token.make_ascii_lowercase());
        return tokens;
    }
    let plain = tokens.iter().map(|token| unmarked(&token.to_lowercase()).into_owned()).collect();
    without_accents(plain)
}

/// A phrase as lists keep it: its words with single spaces.
pub(super) fn fold(phrase: &str) -> String {
    if !phrase.is_ascii() && phrase.chars().any(is_spaceless) {
        return unmarked(phrase.trim()).into_owned();
    }
    folded(phrase).join(" ")
}

/// Marks of vowels, and letters that are written in several ways.
fn unmarked(word: &str) -> Cow<'_, str> {
    let is_mark =
        |c: char| matches!(u32::from(c), 0x0591..=0x05C7 | 0x0610..=0x061A | 0x0640 | 0x064B..=0x065F | 0x0670);
    let other = |c: char| match c {
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ى' => 'ي',
        'ة' => 'ه',
        'ё' => 'е',
        c => c,
    };
    if !word.chars().any(|c| is_mark(c) || other(c) != c) {
        return Cow::Borrowed(word);
    }
    word.chars().filter(|c| !is_mark(*c)).map(other).collect::<String>().into()
}

fn without_accents(words: Vec<String>) -> Vec<String> {
    let tokens = words.into_iter().map(|text| Token { text, ..Token::default() }).collect();
    let mut analyzer = TextAnalyzer::builder(Given(tokens)).filter(AsciiFoldingFilter).build();
    let mut stream = analyzer.token_stream("");
    let mut folded = Vec::new();
    while stream.advance() {
        folded.push(std::mem::take(&mut stream.token_mut().text));
    }
    folded
}

/// Words that are cut already, for tantivy's filter.
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
fn scan(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let text = without_marks(text);
    let mut rest = &*text;
    // Whether a hyphen alone stands between the last run and this one.
    let mut hyphenated: Option<&str> = None;
    // The last runs between which single spaces stand.
    let mut spaced: Vec<&str> = Vec::new();
    while let Some(start) = rest.find(char::is_alphanumeric) {
        let between = &rest[..start];
        rest = &rest[start..];
        let length = run_length(rest);
        let run = &rest[..length];
        rest = &rest[length..];
        if between != " " {
            spaced.clear();
        }
        spaced.push(run);
        if run.starts_with(|c: char| c.is_ascii_digit()) && run.contains(['.', ',', ':']) {
            number(run, &mut tokens);
            hyphenated = None;
            continue;
        }
        if !run.is_ascii() && run.chars().any(is_spaceless) {
            pairs(run, &mut tokens);
            hyphenated = None;
            continue;
        }
        if run.contains(['\'', '’']) {
            without_apostrophes(run).iter().for_each(|part| push(part, &mut tokens));
        } else {
            push(run, &mut tokens);
        }
        // `10 x 8`, `10 by 8` and `10x8` are one measure.
        if let [.., width, by, height] = &spaced[..]
            && is_measure(width, by, height)
        {
            push(&format!("{width}x{height}"), &mut tokens);
        }
        if let Some(before) = hyphenated.filter(|_| matches!(between, "-" | "‑"))
            && before.len() + run.len() <= JOINED_BYTES_MAX
        {
            push(&format!("{before}{run}"), &mut tokens);
        }
        hyphenated = Some(run);
    }
    tokens
}

/// A text with the digits above and below its lines written so that they change no word: `75¹` is `75`, `note¹` is
/// `note`, and `m²` and `CO₂` are what people type, `m2` and `CO2`.
fn without_marks(text: &str) -> Cow<'_, str> {
    const UNITS: &[&str] = &["m", "mm", "cm", "dm", "km", "ft", "in", "yd"];
    if text.is_ascii() || !text.contains(is_shifted) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let (mut last, mut chars) = (' ', text.chars().peekable());
    // Where the last run of letters begins.
    let mut from = 0;
    while let Some(c) = chars.next() {
        let before = std::mem::replace(&mut last, c);
        if !is_shifted(c) {
            if !before.is_alphabetic() {
                from = plain.len();
            }
            plain.push(c);
            continue;
        }
        let is_alone = !is_shifted(before) && chars.peek().is_none_or(|next| !is_shifted(*next));
        let lowered = "₀₁₂₃₄₅₆₇₈₉".chars().position(|sign| sign == c);
        let is_formula = || before.is_ascii_alphabetic() || "₀₁₂₃₄₅₆₇₈₉".contains(before);
        match (c, lowered) {
            ('²' | '³', _) if is_alone && before.is_alphabetic() && UNITS.contains(&&plain[from..]) => {
                plain.push(if c == '²' { '2' } else { '3' });
            }
            (_, Some(digit)) if is_formula() => plain.push(char::from(b'0' + digit as u8)),
            // Not one word with what follows.
            _ => plain.push(' '),
        }
    }
    plain.into()
}

/// A number with marks in it, in one spelling: `1.000,50`, `1,000.50` and `1000,50` are the same, and
/// `7.00` is `7`. What is no number is its parts.
fn number(run: &str, tokens: &mut Vec<String>) {
    let digits = run.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',' | ':')).unwrap_or(run.len());
    let (number, unit) = run.split_at(digits);
    let parts: Vec<&str> = number.split(['.', ',', ':']).collect();
    let thousands = |parts: &[&str]| parts[1..].iter().all(|part| part.len() == 3) && parts[0].len() <= 3;
    let is_time = number.contains(':');
    match &parts[..] {
        [hours, minutes] if is_time && minutes.len() == 2 => push(&format!("{hours}:{minutes}"), tokens),
        [.., cents] if !is_time && parts.len() >= 2 && cents.len() <= 2 && thousands(&parts[..parts.len() - 1]) => {
            let whole = parts[..parts.len() - 1].concat();
            if cents.bytes().all(|digit| digit == b'0') {
                push(&whole, tokens);
            } else {
                push(&format!("{whole}.{cents}"), tokens);
            }
        }
        _ if !is_time && thousands(&parts) => push(&parts.concat(), tokens),
        _ => parts.iter().for_each(|part| push(part, tokens)),
    }
    if !unit.is_empty() {
        push(unit, tokens);
    }
}

fn is_measure(width: &str, by: &str, height: &str) -> bool {
    let is_number = |word: &str| !word.is_empty() && word.len() <= 5 && word.bytes().all(|byte| byte.is_ascii_digit());
    matches!(by, "x" | "X" | "by" | "mal" | "por" | "sur") && is_number(width) && is_number(height)
}

/// Letters, digits and the marks upon them, and apostrophes between letters.
fn run_length(rest: &str) -> usize {
    // Most words are plain letters, with a space or a full stop after them.
    let plain = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let is_plain = match rest.as_bytes().get(plain) {
        None => true,
        Some(b'.' | b',' | b':') => !rest[..plain].ends_with(|c: char| c.is_ascii_digit()),
        Some(next) => next.is_ascii() && *next != b'\'',
    };
    if is_plain && plain > 0 {
        return plain;
    }
    let mut chars = rest.char_indices().peekable();
    let mut end = 0;
    let mut last = ' ';
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let joins = match c {
            '\'' | '’' => next.is_some_and(char::is_alphabetic),
            // `7.20` is one number, and so is `1,000`.
            '.' | ',' | ':' => last.is_ascii_digit() && next.is_some_and(|next| next.is_ascii_digit()),
            _ => false,
        };
        last = c;
        if !c.is_alphanumeric() && !joins && !is_mark(c) {
            break;
        }
        end = at + c.len_utf8();
    }
    end
}

/// Marks that stand upon the letter before them: Latin, Hebrew, Arabic.
fn is_mark(c: char) -> bool {
    matches!(u32::from(c), 0x0300..=0x036F | 0x0591..=0x05C7 | 0x0610..=0x061A | 0x0640 | 0x064B..=0x065F | 0x0670)
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

/// Chinese, Japanese, Korean and Thai: every two neighbours are a word. Latin letters and digits
/// between them are words of their own.
fn pairs(run: &str, tokens: &mut Vec<String>) {
    let mut chars = run.chars().peekable();
    while let Some(first) = chars.peek().copied() {
        let spaceless = is_spaceless(first);
        let mut part = Vec::new();
        while let Some(c) = chars.next_if(|c| is_spaceless(*c) == spaceless) {
            part.push(c);
        }
        if !spaceless || part.len() == 1 {
            push(&part.iter().collect::<String>(), tokens);
            continue;
        }
        for pair in part.windows(2) {
            push(&pair.iter().collect::<String>(), tokens);
        }
    }
}

/// Whether a letter belongs to a script that is written without spaces between words.
pub(super) fn is_spaceless(c: char) -> bool {
    matches!(u32::from(c), 0x0E00..=0x0E7F | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

fn push(word: &str, tokens: &mut Vec<String>) {
    tokens.push(word[..word.floor_char_boundary(WORD_BYTES_MAX)].to_string());
}
