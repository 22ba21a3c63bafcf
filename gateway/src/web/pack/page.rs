//! A document: its sheets become one, its script one with all that it imports, and both are named by
//! their content.

use std::collections::BTreeMap;

use super::graph::{Graph, Kind};
use super::{PackError, PackedFile, lasting, style};

const SHEET: (&str, &str) = (r#"<link rel="stylesheet" href="/web/"#, r#"">"#);
const SCRIPT: (&str, &str) = (r#"<script type="module" src="/web/"#, r#""></script>"#);
const ICON: (&str, &str) = (r#"<link rel="icon" href="/web/"#, r#"" type="image/svg+xml">"#);

/// The document, its sheet and its script, in this order.
pub(super) fn make(
    sources: &BTreeMap<String, String>,
    graph: &mut Graph<'_>,
    path: &str,
    name: &str,
) -> Result<[PackedFile; 3], PackError> {
    let source = |path: &str, by: &str| {
        sources.get(path).ok_or_else(|| PackError::Missing { by: by.to_owned(), path: path.to_owned() })
    };
    let document = source(path, "the packer")?;
    let mut sheet = PackedFile { name: format!("packs/{name}.css"), content: String::new() };
    for line in document.lines() {
        if let Some(of) = between(line, SHEET) {
            sheet.content.push_str(&style::packed(of, source(of, path)?)?);
            sheet.content.push('\n');
        }
    }
    let mut script = PackedFile { name: format!("packs/{name}.js"), content: String::new() };
    let mut lines = Vec::new();
    let mut with_sheet = false;
    for line in document.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let put = |(start, end): (&str, &str), made: &PackedFile| {
            format!("{indent}{start}{}{end}", lasting(&made.name, &made.content))
        };
        if between(line, SHEET).is_some() {
            if !std::mem::replace(&mut with_sheet, true) {
                lines.push(put(SHEET, &sheet));
            }
        } else if let Some(entry) = between(line, SCRIPT) {
            if !script.content.is_empty() {
                return Err(PackError::File { path: path.to_owned(), why: "a page has one script" });
            }
            script.content = graph.pack(entry, Kind::Module)?;
            lines.push(put(SCRIPT, &script));
        } else if let Some(icon) = between(line, ICON) {
            let icon = PackedFile { name: icon.to_owned(), content: source(icon, path)?.clone() };
            lines.push(put(ICON, &icon));
        } else {
            lines.push(line.to_owned());
        }
    }
    let document = PackedFile { name: path.to_owned(), content: lines.join("\n") + "\n" };
    // What is left would be asked for at every view.
    if lines_ask(&document.content) || script.content.is_empty() {
        return Err(PackError::File {
            path: path.to_owned(),
            why: "one sheet, script or icon is not written as the packer reads it",
        });
    }
    Ok([document, sheet, script])
}

fn between<'a>(line: &'a str, (start, end): (&str, &str)) -> Option<&'a str> {
    line.trim().strip_prefix(start)?.strip_suffix(end)
}

/// Whether a document names a file by a name that does not last.
fn lines_ask(document: &str) -> bool {
    document.split("/web/").skip(1).any(|rest| {
        let name = rest.split('"').next().unwrap_or_default();
        let hash = name.rsplit('.').nth(1).unwrap_or_default();
        hash.len() != super::NAME_HASH_LEN || !hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}
