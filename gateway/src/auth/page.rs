//! The page that a request comes from, as its browser tells: one of our own, or somebody else's.

use schema::Origin;

/// A page's origin, letter for letter as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallingPage {
    origin: Box<str>,
    own: bool,
}

impl CallingPage {
    /// From a request's `Origin`, and whether that is one of ours.
    #[must_use]
    pub fn new(origin: &[u8], own: bool) -> Self {
        Self { origin: String::from_utf8_lossy(origin).into_owned().into_boxed_str(), own }
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
    fn other_pages_are_those_on_the_list_letter_for_letter() {
        let list = ["https://shop.example", "http://localhost:3000"].map(|origin| origin.parse::<Origin>().unwrap());
        let allowed = |header: &str| {
            CallingPage::new(header.as_bytes(), false)
                .may_speak(|page| list.iter().any(|origin| origin.as_str() == page))
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
