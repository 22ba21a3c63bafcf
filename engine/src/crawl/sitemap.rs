//! A site's list of its own pages, or of further lists.

use quick_xml::Reader;
use quick_xml::events::Event;
use url::Url;

/// Addresses taken from one list.
const LOCATIONS_MAX: usize = 5_000;

/// What a sitemap names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sitemap {
    pub(super) pages: Vec<Url>,
    pub(super) sitemaps: Vec<Url>,
}

/// Reads as far as it can be read: a broken list is a shorter list.
pub(super) fn read(bytes: &[u8]) -> Sitemap {
    let text = String::from_utf8_lossy(bytes);
    let mut sitemap = Sitemap::default();
    let is_xml = text.trim_start_matches('\u{feff}').trim_start().starts_with('<');
    if !is_xml {
        // The other form there is: an address a line.
        sitemap.pages = text.lines().take(LOCATIONS_MAX).filter_map(|line| Url::parse(line.trim()).ok()).collect();
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
                let Some(url) = location.take().and_then(|location| Url::parse(location.trim()).ok()) else { continue };
                if in_index {
                    sitemap.sitemaps.push(url);
                } else {
                    sitemap.pages.push(url);
                }
                taken += 1;
                if taken == LOCATIONS_MAX {
                    break;
                }
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
            ("<urlset><url><loc>/relative</loc></url></wrong>", vec![], vec![]),
        ] {
            assert_eq!(read(text.as_bytes()), Sitemap { pages, sitemaps }, "{text}");
        }
        let many: String =
            (0..2 * LOCATIONS_MAX).map(|n| format!("<url><loc>https://x.example/{n}</loc></url>")).collect();
        assert_eq!(read(format!("<urlset>{many}").as_bytes()).pages.len(), LOCATIONS_MAX);
    }
}
