//! Addresses of e-mail, in their one spelling: composed, in lower case, the domain as the network has it.
//! Invariant: what is given has no blank and nothing that cannot be seen.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::Host;

use super::IdentityError;
use crate::{VisibleError, is_invisible, limits, visible};

const SCHEME: &str = "mailto:";

/// # Errors
/// What is wrong with it.
pub(super) fn normalised(value: &str) -> Result<String, IdentityError> {
    let written = value.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    let written = match written.get(..SCHEME.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => of_link(&written[SCHEME.len()..])?,
        _ => Cow::Borrowed(written),
    };
    let address = match visible(&written.to_lowercase(), limits::IDENTITY_CHARS_MAX) {
        Ok(address) => address,
        Err(error @ VisibleError::Hidden(_)) => return Err(IdentityError::EmailHidden(error)),
        Err(_) => return Err(IdentityError::Email),
    };
    if address.contains(char::is_whitespace) {
        return Err(IdentityError::EmailPlus);
    }
    let (name, domain) = address.rsplit_once('@').ok_or(IdentityError::Email)?;
    // It reads percent signs as an address of the web has them.
    if !is_plain(name) || domain.contains('%') {
        return Err(IdentityError::Email);
    }
    let Ok(Host::Domain(domain)) = Host::parse(domain) else { return Err(IdentityError::Email) };
    let address = format!("{name}@{domain}");
    let labels = domain.split('.').all(|label| !label.is_empty());
    if labels && address.len() <= limits::IDENTITY_CHARS_MAX { Ok(address) } else { Err(IdentityError::Email) }
}

/// The address in a link, without what the link says of the letter.
fn of_link(link: &str) -> Result<Cow<'_, str>, IdentityError> {
    let address = link.split_once('?').map_or(link, |(address, _)| address);
    // The decoder leaves a sign of percent that encodes nothing as it is.
    let encodes = |after: &str| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !address.split('%').skip(1).all(encodes) {
        return Err(IdentityError::EmailLink);
    }
    percent_decode_str(address).decode_utf8().map_err(|_| IdentityError::EmailLink)
}

/// As earlier programs spelt it.
pub(super) fn as_before(value: &str) -> Option<String> {
    let address = value.trim().to_lowercase();
    let (name, domain) = address.rsplit_once('@')?;
    let labels = domain.split('.').all(|label| !label.is_empty());
    let is_address = is_plain(name) && is_plain(domain) && labels && address.len() <= limits::IDENTITY_CHARS_MAX;
    is_address.then_some(address)
}

fn is_plain(part: &str) -> bool {
    !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '@' | '<' | '>'))
}
