//! A site's list of its own pages, or of further lists.

use quick_xml::Reader;
use quick_xml::events::Event;
use url::Url;

/// Addresses taken from one list.
pub(super) const LOCATIONS_MAX: usize = 5_000;

/// What a sitemap names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sitemap {
    pub(super) pages: Vec<Url>,
    pub(super) sitemaps: Vec<Url>,
    /// It names more than is taken from it.
    pub(super) is_cut: bool,
}

/// Reads as far as it can be read: a broken list is a shorter list. `from` is its own address, against which
/// some write theirs.
pub(super) fn read(bytes: &[u8], from: &Url) -> Sitemap {
    let text = String::from_utf8_lossy(bytes);
    let mut sitemap = Sitemap::default();
    let is_xml = text.trim_start_matches('\u{feff}').trim_start().starts_with('<');
    if !is_xml {
        // The other form there is: an address a line.
        let mut lines = text.lines().filter_map(|line| Url::parse(line.trim()).ok());
        sitemap.pages = lines.by_ref().take(LOCATIONS_MAX).collect();
        sitemap.is_cut = lines.next().is_some();
        return sitemap;
    }
    let mut reader = Reader::from_str(&text);
    let (mut in_index, mut location, mut taken) = (false, None::<String>, 0);
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(start) => match start.local_name().into_inner() {
                "sitemap" => in_index = true,
                "url" => in_index = false,
                // Not a picture's or a video's.
                "loc" if !start.name().into_inner().contains(':') => location = Some(String::new()),
                _ => {}
            },
            Event::Text(text) => {
                if let Some(location) = &mut location {
                    location.push_str(&text.xml10_content());
                }
            }
            Event::CData(text) => {
                if let Some(location) = &mut location {
                    location.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(entity) if &*entity == "amp" => {
                if let Some(location) = &mut location {
                    location.push('&');
                }
            }
            Event::End(end) if end.local_name().into_inner() == "loc" => {
                let location = location.take().filter(|location| !location.trim().is_empty());
                let Some(url) = location.and_then(|location| from.join(location.trim()).ok()) else { continue };
                if taken == LOCATIONS_MAX {
                    sitemap.is_cut = true;
                    break;
                }
                if in_index {
                    sitemap.sitemaps.push(url);
                } else {
                    sitemap.pages.push(url);
                }
                taken += 1;
            }
            Event::Eof => break,
            _ => {}
        }
    }
    sitemap
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_pages_and_lists_of_lists_are_read() {
        let url = |text: &str| Url::parse(text).unwrap();
        for (text, pages, sitemaps) in [
            (
                "<?xml version='1.0'?><urlset><url><loc> https://x.example/a?b=1&amp;c=2 </loc><image:image><image:loc>https://x.example/i</image:loc></image:image></url><url><loc><![CDATA[https://x.example/b]]></loc></url></urlset>",
                vec![url("https://x.example/a?b=1&c=2"), url("https://x.example/b")],
                vec![],
            ),
            (
                "<sitemapindex><sitemap><loc>https://x.example/s1.xml</loc></sitemap></sitemapindex>",
                vec![],
                vec![url("https://x.example/s1.xml")],
            ),
            (
                "https://x.example/a\nnothing\nhttps://x.example/b\n",
                vec![url("https://x.example/a"), url("https://x.example/b")],
                vec![],
            ),
            (
                "<urlset><url><loc>https://x.example/a</loc></url><url><loc>https://x.ex",
                vec![url("https://x.example/a")],
                vec![],
            ),
            ("<urlset><url><loc>/relative</loc></url></wrong>", vec![url("https://x.example/relative")], vec![]),
            ("<urlset><url><loc> </loc></url>", vec![], vec![]),
            ("<!doctype html><p>Not found", vec![], vec![]),
        ] {
            let read = read(text.as_bytes(), &url("https://x.example/maps/one.xml"));
            assert_eq!(read, Sitemap { pages, sitemaps, is_cut: false }, "{text}");
        }
        let many: String =
            (0..2 * LOCATIONS_MAX).map(|n| format!("<url><loc>https://x.example/{n}</loc></url>")).collect();
        let read = read(format!("<urlset>{many}").as_bytes(), &url("https://x.example/"));
        assert_eq!((read.pages.len(), read.is_cut), (LOCATIONS_MAX, true));
    }
}
