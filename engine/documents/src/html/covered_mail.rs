//! Mail addresses that a site's delivery network hides from robots and its script shows to everybody.

use super::tree::{Data, Tree};

/// Where its links lead, with the address behind it.
const LINK: &str = "/cdn-cgi/l/email-protection#";
/// The longest address, in hexadecimal digits.
const DIGITS_MAX: usize = 1_024;

/// Writes such addresses as they are shown.
pub(super) fn write(tree: &mut Tree) {
    let mut at = 0;
    while at < tree.nodes.len() {
        let run = tree.under(at);
        let node = &mut tree.nodes[at];
        at += 1;
        let Data::Element { attributes, .. } = &mut node.data else { continue };
        let mut shown = None;
        for (name, value) in attributes {
            match name.as_str() {
                "href" => {
                    let code = value.find(LINK).and_then(|from| value.get(from + LINK.len()..));
                    if let Some(address) = code.and_then(uncovered) {
                        *value = format!("mailto:{address}");
                    }
                }
                "data-cfemail" => shown = uncovered(value),
                _ => {}
            }
        }
        if let Some(address) = shown {
            let mut address = Some(address);
            for node in &mut tree.nodes[run.clone()] {
                if let Data::Text(text) = &mut node.data {
                    *text = address.take().unwrap_or_default();
                }
            }
            at = run.end;
        }
    }
}

/// An address from its digits: each byte is changed by the first.
fn uncovered(code: &str) -> Option<String> {
    let code = code.trim();
    if code.len() > DIGITS_MAX || !code.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = code.as_bytes().chunks(2).map(byte).collect::<Option<_>>()?;
    let (key, covered) = bytes.split_first()?;
    let address = String::from_utf8(covered.iter().map(|byte| byte ^ key).collect()).ok()?;
    (address.contains('@') && !address.contains(|c: char| c.is_control() || c.is_whitespace())).then_some(address)
}

#[cfg(test)]
mod tests {
    use crate::html::read;

    #[test]
    fn a_covered_address_is_read_as_it_is_shown() {
        let code = |address: &str| {
            let bytes = address.bytes().map(|byte| format!("{:02x}", byte ^ 0x42)).collect::<String>();
            format!("42{bytes}")
        };
        let address = code("info@shop.example");
        let hidden =
            |code: &str| format!("<span class='__cf_email__' data-cfemail='{code}'>[email&#160;protected]</span>");
        for (page, expected) in [
            (format!("<p>Write to {}.", hidden(&address)), "Write to info@shop.example."),
            (
                format!("<p>Write to <a href='/cdn-cgi/l/email-protection#{address}'>{}</a>.", hidden(&address)),
                "Write to info@shop.example.",
            ),
            (
                format!("<p><a href='/cdn-cgi/l/email-protection#{}'>Write</a>", code("info@shop.example?subject=x")),
                "Write info@shop.example",
            ),
            (format!("<p>Write to {}.", hidden("zz")), "Write to \\[email protected\\]."),
            (format!("<p>Write to {}.", hidden("4")), "Write to \\[email protected\\]."),
            (format!("<p>Write to {}.", hidden("é4")), "Write to \\[email protected\\]."),
            (format!("<p>Write to {}.", hidden(&code("no address"))), "Write to \\[email protected\\]."),
        ] {
            assert_eq!(read(&page).unwrap().markdown.trim(), expected, "{page}");
        }
    }
}
