//! Sheets of style without their comments, so that several can be one.

use super::PackError;

/// A sheet without comments and indentation.
pub(super) fn packed(path: &str, text: &str) -> Result<String, PackError> {
    let wrong = |why| PackError::File { path: path.to_owned(), why };
    let mut packed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        let (before, from) = rest.split_at(at);
        packed.push_str(before);
        let end = if from.starts_with("/*") {
            from.find("*/").ok_or_else(|| wrong("a comment does not end"))? + 2
        } else if from.starts_with('/') {
            packed.push('/');
            1
        } else {
            let quote = from.chars().next().unwrap_or('"');
            let end = from[1..].find(quote).ok_or_else(|| wrong("a text does not end"))? + 2;
            packed.push_str(&from[..end]);
            end
        };
        rest = &from[end..];
    }
    packed.push_str(rest);
    if packed.contains("@import") || packed.contains("url(") {
        return Err(wrong("a sheet loads nothing: it may be part of another page"));
    }
    Ok(packed.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"))
}
