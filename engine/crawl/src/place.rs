//! Addresses of pages: which belong to a site, and one spelling for each.

use url::{Host, Url};

/// An address longer than this is no page's, in bytes; it is also a document's name.
pub(super) const URL_BYTES_MAX: usize = 1_000;
/// Folders within each other.
const SEGMENTS_MAX: usize = 20;
/// Times one folder's name may come back: more is a link that leads into itself.
const REPEATS_MAX: usize = 3;

/// What tells where a visitor came from, not which page this is.
const TRACKING: &[&str] = &["gclid", "fbclid", "msclkid", "mc_cid", "mc_eid", "igshid", "ref_src", "_ga", "yclid"];
/// Files that are never text.
const NO_TEXT: &[&str] = &[
    "jpg", "jpeg", "png", "gif", "webp", "avif", "svg", "ico", "bmp", "tif", "tiff", "css", "js", "mjs", "map", "json",
    "xml", "rss", "atom", "woff", "woff2", "ttf", "otf", "eot", "mp3", "mp4", "m4a", "m4v", "mov", "avi", "webm",
    "ogg", "wav", "flac", "zip", "gz", "tgz", "bz2", "xz", "7z", "rar", "tar", "exe", "msi", "dmg", "deb", "rpm",
    "apk", "iso", "bin", "doc", "xls", "ppt", "ods", "odp", "csv", "ics", "mobi",
];

/// The address at which a walk begins.
///
/// # Errors
/// What is wrong with it, for whoever wrote it.
pub fn start_url(text: &str) -> Result<Url, &'static str> {
    let mut url = Url::parse(text.trim()).map_err(|_| "the address of a site begins with https:// or http://")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("the address of a site begins with https:// or http://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address with a name or password in it is not learned");
    }
    url.set_fragment(None);
    if url.as_str().len() > URL_BYTES_MAX {
        return Err("the address is too long");
    }
    Ok(url)
}

/// A site: one host, with or without `www`.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The address its pages are known under.
    origin: Url,
}

impl Place {
    pub(super) fn new(url: &Url) -> Self {
        let mut origin = url.clone();
        origin.set_path("/");
        origin.set_query(None);
        origin.set_fragment(None);
        Self { origin }
    }

    /// Whether an address is on this site, however it is spelled.
    pub(super) fn holds(&self, url: &Url) -> bool {
        let same_port = url.port_or_known_default() == self.origin.port_or_known_default();
        // Both have their usual ports, or both the same unusual one.
        let usual = url.port().is_none() && self.origin.port().is_none();
        matches!(url.scheme(), "http" | "https")
            && (usual || (same_port && url.scheme() == self.origin.scheme()))
            && match (url.host(), self.origin.host()) {
                (Some(Host::Domain(one)), Some(Host::Domain(other))) => bare(one) == bare(other),
                (Some(one), Some(other)) => one == other,
                _ => false,
            }
    }

    /// An address on this site.
    pub(super) fn at(&self, path: &str) -> Option<Url> {
        self.origin.join(path).ok()
    }

    /// The one spelling of a page's address; none for what is no page of this site.
    pub(super) fn spell(&self, url: &Url) -> Option<Url> {
        if !self.holds(url) || !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let mut spelled = self.origin.clone();
        spelled.set_path(url.path());
        let query: Vec<&str> = url.query().unwrap_or_default().split('&').filter(tells_the_page).collect();
        spelled.set_query((!query.is_empty()).then(|| query.join("&")).as_deref());
        let segments: Vec<&str> = spelled.path().split('/').filter(|part| !part.is_empty()).collect();
        let repeated = segments.iter().any(|one| segments.iter().filter(|other| *other == one).count() > REPEATS_MAX);
        let fits = spelled.as_str().len() <= URL_BYTES_MAX && segments.len() <= SEGMENTS_MAX && !repeated;
        fits.then_some(spelled)
    }
}

/// Whether an address may have text behind it, by its name.
pub(super) fn may_be_text(url: &Url) -> bool {
    let file = url.path().rsplit('/').next().unwrap_or_default();
    let ending = file.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    !ending.is_some_and(|ending| NO_TEXT.contains(&ending.as_str()))
}

fn bare(host: &str) -> &str {
    host.strip_prefix("www.").unwrap_or(host)
}

fn tells_the_page(pair: &&str) -> bool {
    let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    !name.is_empty() && !name.starts_with("utm_") && !TRACKING.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_one_spelling_and_other_hosts_have_none() {
        let place = Place::new(&Url::parse("https://www.shop.example/start?x=1").unwrap());
        let deep = format!("https://shop.example/{}", "a/".repeat(4));
        let long = format!("https://shop.example/{}", "x".repeat(1_000));
        for (url, expected) in [
            ("https://www.shop.example/a#part", Some("https://www.shop.example/a")),
            ("http://shop.example/a?", Some("https://www.shop.example/a")),
            ("https://SHOP.example:443/a/../b", Some("https://www.shop.example/b")),
            ("https://shop.example/a?utm_source=x&id=7&gclid=1", Some("https://www.shop.example/a?id=7")),
            ("https://shop.example:8443/a", None),
            ("https://blog.shop.example/a", None),
            ("https://shop.example.evil.example/a", None),
            ("https://user@shop.example/a", None),
            ("ftp://shop.example/a", None),
            ("mailto:a@shop.example", None),
            (&deep, None),
            (&long, None),
        ] {
            let spelled = place.spell(&Url::parse(url).unwrap());
            assert_eq!(spelled.as_ref().map(Url::as_str), expected, "{url}");
        }
        let local = Place::new(&Url::parse("http://127.0.0.1:81/").unwrap());
        assert!(local.holds(&Url::parse("http://127.1:81/a").unwrap()), "one address in another spelling");
        assert!(!local.holds(&Url::parse("http://127.0.0.1:82/a").unwrap()));
        assert!(!local.holds(&Url::parse("https://127.0.0.1/a").unwrap()));
    }

    #[test]
    fn documents_that_can_be_read_are_asked_for() {
        for (path, may_be) in [
            ("/", true),
            ("/a.html", true),
            ("/fair.PPTX", true),
            ("/rules.odt", true),
            ("/care.epub", true),
            ("/prices.xlsx", true),
            ("/all.zip", false),
            ("/v1.2/lamp.JPG", false),
        ] {
            let url = Url::parse(&format!("https://shop.example{path}")).unwrap();
            assert_eq!(may_be_text(&url), may_be, "{path}");
        }
    }

    #[test]
    fn what_no_site_begins_with_is_refused() {
        for (text, good) in [
            ("https://shop.example", true),
            (" http://shop.example/docs#x ", true),
            ("shop.example", false),
            ("file:///etc/passwd", false),
            ("https://a:b@shop.example", false),
            ("https://", false),
        ] {
            assert_eq!(start_url(text).is_ok(), good, "{text}");
        }
    }
}
