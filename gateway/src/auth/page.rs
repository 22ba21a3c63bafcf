//! The page that a request comes from, as its browser tells: one of our own, or somebody else's.

use schema::Origin;

/// A page's origin, letter for letter as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    origin: Box<str>,
    own: bool,
}

impl Page {
    /// From a request's `Origin` and `Host`. Our own pages are those that were asked for under the
    /// name under which we are asked now; who lies about that is no browser, and gains nothing.
    #[must_use]
    pub fn of(origin: &[u8], host: Option<&[u8]>) -> Self {
        let origin = String::from_utf8_lossy(origin).into_owned().into_boxed_str();
        let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        let own = authority.is_some_and(|authority| !authority.is_empty() && host == Some(authority.as_bytes()));
        Self { origin, own }
    }

    /// Its origin, to bind a token to; none for one that no page with an address has.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.origin.parse().ok()
    }

    /// Whether it is one of our own.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        self.own
    }

    /// Whether it is `origin`.
    #[must_use]
    pub fn is(&self, origin: &Origin) -> bool {
        *self.origin == *origin.as_str()
    }

    /// Whether it may speak to a tenant: as one of our own, or by the tenant's list, which `allows`
    /// asks. `null` is on no list.
    #[must_use]
    pub fn may_speak(&self, allows: impl FnOnce(&str) -> bool) -> bool {
        self.own || allows(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_pages_have_the_name_we_are_asked_by() {
        for (origin, host, own) in [
            ("http://127.0.0.1:8080", Some("127.0.0.1:8080"), true),
            ("https://chat.example", Some("chat.example"), true),
            ("https://chat.example", Some("chat.example:8080"), false),
            ("https://shop.example", Some("chat.example"), false),
            ("https://chat.example.evil.example", Some("chat.example"), false),
            ("https://evil.example/chat.example", Some("chat.example"), false),
            ("null", Some("null"), false),
            ("", Some(""), false),
            ("https://", Some(""), false),
            ("https://chat.example", None, false),
        ] {
            let page = Page::of(origin.as_bytes(), host.map(str::as_bytes));
            assert_eq!(page.may_speak(|_| false), own, "{origin} {host:?}");
        }
    }

    #[test]
    fn other_pages_are_those_on_the_list_letter_for_letter() {
        let list = ["https://shop.example", "http://localhost:3000"].map(|origin| origin.parse::<Origin>().unwrap());
        let allowed = |header: &str| {
            Page::of(header.as_bytes(), None).may_speak(|page| list.iter().any(|origin| origin.as_str() == page))
        };
        for header in ["https://shop.example", "http://localhost:3000"] {
            assert!(allowed(header), "{header}");
        }
        for header in [
            "",
            "null",
            "https://shop.example.evil.example",
            "https://evilshop.example",
            "https://evil.example/https://shop.example",
            "https://shop.example/",
            "https://shop.example:443",
            "https://SHOP.example",
            "https://shop.example https://evil.example",
            "http://shop.example",
            "http://localhost",
            "http://localhost:30000",
            "shop.example",
        ] {
            assert!(!allowed(header), "{header}");
        }
    }
}
