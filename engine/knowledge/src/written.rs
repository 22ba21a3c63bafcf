//! Text that is read as it was written: answers that a team has typed, and passages that are read again.
//! Invariant: paragraphs, lists, tables, listings and headings are recognised, and no character of them is changed.

use pulldown_cmark::HeadingLevel;

use super::blocks::{Block, Kind, OUTLINE_MARK, Reader};

/// Of a list's number, digits at most.
const DIGITS_MAX: usize = 9;

/// Gives the blocks of typed sections: a line of `# words` between blank lines is a heading.
pub(super) fn of_typed(text: &str, mut take: impl FnMut(Block)) {
    let mut reader = Reader::default();
    let lines: Vec<&str> = text.lines().collect();
    let is_blank = |at: Option<usize>| at.and_then(|at| lines.get(at)).is_none_or(|line| line.trim().is_empty());
    let mut from = 0;
    for (at, line) in lines.iter().enumerate() {
        let heading = heading(line).filter(|_| is_blank(at.checked_sub(1)) && is_blank(Some(at + 1)));
        if let Some((level, title)) = heading {
            of_lines(&lines[from..at], |kind, text| reader.push(kind, text));
            reader.heading(level, title);
            from = at + 1;
        }
    }
    of_lines(&lines[from..], |kind, text| reader.push(kind, text));
    reader.finish(&mut take);
}

/// All blocks of a passage.
pub(super) fn of_passage(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    of_lines(&lines, |kind, text| blocks.push(Block { heading: "".into(), kind, text }));
    blocks
}

/// The marker that a list's line begins with, its indent left out.
pub(super) fn marker(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let bullet = line.chars().next().filter(|c| matches!(c, '-' | '*' | '•')).map(char::len_utf8);
    let end = bullet.or_else(|| number(line).map(|(_, end)| end))?;
    line[end..].starts_with([' ', '\t']).then(|| &line[..end])
}

/// The number that a list's line begins with, and where its sign ends.
pub(super) fn number(line: &str) -> Option<(u64, usize)> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let is_number = (1..=DIGITS_MAX).contains(&digits) && line[digits..].starts_with(['.', ')']);
    is_number.then(|| line[..digits].parse().ok().map(|number| (number, digits + 1))).flatten()
}

fn heading(line: &str) -> Option<(HeadingLevel, &str)> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let title = line[level..].strip_prefix(' ')?.trim();
    let level = HeadingLevel::try_from(level).ok()?;
    (!title.is_empty()).then_some((level, title))
}

fn of_lines(lines: &[&str], mut push: impl FnMut(Kind, String)) {
    let mut at = 0;
    // Fences of this sign and this length or more are closed by none of the lines that follow.
    let mut unclosed: [usize; 2] = [usize::MAX; 2];
    while at < lines.len() {
        if lines[at].trim().is_empty() {
            at += 1;
            continue;
        }
        if let Some((sign, length)) = fence(lines[at]).filter(|(sign, length)| *length < unclosed[sign_of(*sign)]) {
            let closes = |line: &&str| fence(line).is_some_and(|(other, longer)| other == sign && longer >= length);
            let is_bare = |line: &&str| line.trim().trim_start_matches(sign).is_empty();
            match lines[at + 1..].iter().position(|line| closes(line) && is_bare(line)) {
                Some(inner) => {
                    let end = at + 1 + inner;
                    let (kind, text) = code(&lines[at..=end], sign, length);
                    push(kind, text);
                    at = end + 1;
                    continue;
                }
                None => unclosed[sign_of(sign)] = length,
            }
        }
        if is_table(lines, at) {
            let end = (at + 2..lines.len()).find(|end| !lines[*end].contains('|')).unwrap_or(lines.len());
            push(Kind::Table, lines[at..end].join("\n"));
            at = end;
            continue;
        }
        let ends = |end: &usize| {
            let line = lines[*end];
            line.trim().is_empty() || fence(line).is_some() || is_table(lines, *end)
        };
        let end = (at + 1..lines.len()).find(ends).unwrap_or(lines.len());
        if lines[at].starts_with(OUTLINE_MARK) {
            let titles = lines[at..end].iter().map(|line| format!("- {}", line.trim_start_matches(OUTLINE_MARK)));
            push(Kind::List, titles.collect::<Vec<_>>().join("\n"));
        } else {
            let kind = if marker(lines[at]).is_some() { Kind::List } else { Kind::Prose };
            push(kind, lines[at..end].iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n"));
        }
        at = end;
    }
}

/// A listing; one that another fence would be put around stays as it is.
fn code(lines: &[&str], sign: char, length: usize) -> (Kind, String) {
    let [first, inner @ .., last] = lines else { return (Kind::Prose, lines.join("\n")) };
    let language = first.trim_start_matches([' ', sign]).trim();
    let text = inner.join("\n");
    let is_ours = sign == '`' && !text.trim().is_empty() && *last == "`".repeat(length) && !first.starts_with(' ');
    if is_ours { (Kind::Code { language: language.to_owned() }, text) } else { (Kind::Prose, lines.join("\n")) }
}

/// The sign of a fence, and how many there are.
fn fence(line: &str) -> Option<(char, usize)> {
    let line = line.trim_start();
    let sign = line.chars().next().filter(|sign| matches!(sign, '`' | '~'))?;
    let rest = line.trim_start_matches(sign);
    let length = line.len() - rest.len();
    (length >= 3 && !rest.contains('`')).then_some((sign, length))
}

fn sign_of(sign: char) -> usize {
    usize::from(sign == '~')
}

/// Whether a table's head stands here, its rule below it.
fn is_table(lines: &[&str], at: usize) -> bool {
    let is_rule = |line: &&str| {
        line.contains('|') && line.contains("--") && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
    };
    lines[at].contains('|') && lines.get(at + 1).is_some_and(is_rule)
}
