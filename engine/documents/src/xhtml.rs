//! XHTML as HTML: what a browser that reads it as XML would see, where one that reads HTML sees something else.
//! Invariant: one look at each byte.

use std::borrow::Cow;

/// Elements of HTML that never have anything in them.
const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

/// The same page with an end tag for each element that is ended in its own tag (`<title/>`, `<a id="x"/>`): in HTML
/// such an element goes on, and what follows a title or script would be no text at all.
pub(super) fn as_html(xhtml: &str) -> Cow<'_, str> {
    if !xhtml.contains("/>") {
        return xhtml.into();
    }
    let mut html = String::with_capacity(xhtml.len() + xhtml.len() / 16);
    let mut rest = xhtml;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        html.push_str(before);
        let end = end_of_tag(tag);
        let (tag, behind) = tag.split_at(end);
        rest = behind;
        let name_end = tag[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != ':').map_or(tag.len(), |at| at + 1);
        let name = &tag[1..name_end];
        match tag.strip_suffix("/>").filter(|_| name.starts_with(|c: char| c.is_ascii_alphabetic())) {
            Some(open) if !VOID.iter().any(|void| name.eq_ignore_ascii_case(void)) => {
                html.extend([open, "></", name, ">"]);
            }
            _ => html.push_str(tag),
        }
    }
    html.push_str(rest);
    html.into()
}

/// How long the tag, comment or declaration is that a text begins with.
fn end_of_tag(text: &str) -> usize {
    for (open, close) in [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")] {
        if let Some(inner) = text.strip_prefix(open) {
            return inner.find(close).map_or(text.len(), |at| open.len() + at + close.len());
        }
    }
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return at + 1,
            // It was no tag, or is one that never ends.
            (None, b'<') => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_end_where_xml_ends_them() {
        for (xhtml, expected) in [
            ("<p>a</p>", "<p>a</p>"),
            ("<title/><p>a</p>", "<title></title><p>a</p>"),
            ("<a id=\"x/>\"/>b<br/>c", "<a id=\"x/>\"></a>b<br/>c"),
            ("<script src='x'/><P/>", "<script src='x'></script><P></P>"),
            ("a < b <i/>", "a < b <i></i>"),
            ("<!-- <i/> --><i/><?x <i/> ?><![CDATA[<i/>]]>", "<!-- <i/> --><i></i><?x <i/> ?><![CDATA[<i/>]]>"),
            ("<i/><p title=\"", "<i></i><p title=\""),
            ("<svg:path/><!-- <i/>", "<svg:path></svg:path><!-- <i/>"),
        ] {
            assert_eq!(as_html(xhtml), expected, "{xhtml}");
        }
    }
}
