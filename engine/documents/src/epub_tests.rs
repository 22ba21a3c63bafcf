//! Books made here, part by part, and one as a program writes it.

use super::*;
use crate::archives::archive;
use crate::package::INFLATED_BYTES_FREE;

const CARE: &[u8] = include_bytes!("../../../tests/fixtures/documents/care.epub");
const TYPE: (&str, &[u8]) = ("mimetype", b"application/epub+zip");
const CONTAINER: (&str, &[u8]) =
    ("META-INF/container.xml", b"<container><rootfiles><rootfile full-path=\"OPS/book.opf\"/></rootfiles></container>");

/// A book of pages by their names, in this order.
fn epub(title: &str, chapters: &[(&str, &str)], more: &[(&str, &str)]) -> Vec<u8> {
    let (mut items, mut spine) = (String::new(), String::new());
    for (n, (name, _)) in chapters.iter().enumerate() {
        items.push_str(&format!("<item id=\"c{n}\" href=\"{name}\" media-type=\"application/xhtml+xml\"/>"));
        spine.push_str(&format!("<itemref idref=\"c{n}\"/>"));
    }
    let package = format!(
        "<package><metadata><dc:title>{title}</dc:title></metadata><manifest>{items}\
         <item id=\"x\" href=\"toc.ncx\" media-type=\"application/x-dtbncx+xml\"/></manifest><spine>{spine}</spine></package>"
    );
    let mut parts: Vec<(String, String)> = vec![("OPS/book.opf".into(), package)];
    parts.extend(chapters.iter().map(|(name, text)| (format!("OPS/{}", name.replace("%20", " ")), (*text).to_owned())));
    parts.extend(more.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    let mut all: Vec<(&str, &[u8])> = vec![TYPE, CONTAINER];
    all.extend(parts.iter().map(|(name, text)| (name.as_str(), text.as_bytes())));
    archive(&all)
}

fn chapter(title: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"><head>{title}</head><body>{body}</body></html>"
    )
}

#[test]
fn a_book_as_a_program_writes_it() {
    let page = read(CARE).unwrap();
    assert_eq!(page.title.as_deref(), Some("Care of lamps"));
    assert_eq!(
        page.markdown,
        "# Care of lamps\n\n## Cleaning\n\nGlass shades are washed by hand in water of 30 degrees.\n\n### Paper shades\n\n\
         -   Dust them with a dry brush.\n-   Never use water.\n\n## Bulbs\n\n| Lamp | Bulb |\n|---|---|\n\
         | Desk lamp | E14, 6 watts |\n| Floor lamp | E27, 11 watts |\n"
    );
    assert!(page.links.is_empty());
    assert_eq!(Kind::of(None, "x", CARE), Some(Kind::Epub));
}

#[test]
fn chapters_stand_in_their_order_below_their_names() {
    let ncx = "<ncx><navMap><navPoint><navLabel><text>First steps</text></navLabel><content src=\"a%20b.xhtml#top\"/>\
               <navPoint><navLabel><text>Part of it</text></navLabel><content src=\"a%20b.xhtml#x\"/></navPoint></navPoint></navMap></ncx>";
    for (name, chapters, expected) in [
        (
            "a heading of its own",
            vec![(
                "b.xhtml",
                chapter("<title>Shades</title>", "<h1>Shades</h1><p>Wash.</p><h2>Paper</h2><p>Dust.</p>"),
            )],
            "# Lamps\n\n## Shades\n\nWash.\n\n### Paper\n\nDust.\n",
        ),
        (
            "a title that is the book's, and a list of chapters",
            vec![("a%20b.xhtml", chapter("<title>LAMPS</title>", "<p>Plug it in.</p>"))],
            "# Lamps\n\n## First steps\n\nPlug it in.\n",
        ),
        (
            "a title that is the file's",
            vec![("c.xhtml", chapter("<title>c.xhtml</title>", "<h2>Bulbs</h2><p>E27.</p>"))],
            "# Lamps\n\n## Bulbs\n\nE27.\n",
        ),
        (
            "elements that end in their own tags",
            vec![("d.xhtml", chapter("<title/><script src=\"x\"/>", "<a id=\"p\"/><p>Seen.<br/>Too.</p>"))],
            "# Lamps\n\nSeen.  \nToo.\n",
        ),
        (
            "two, and code with a number sign",
            vec![
                ("z.xhtml", chapter("", "<h1>One</h1><pre># no heading</pre>")),
                ("a.xhtml", chapter("", "<h1>Two</h1><p># none</p>")),
            ],
            "# Lamps\n\n## One\n\n```\n# no heading\n```\n\n## Two\n\n\\# none\n",
        ),
    ] {
        let chapters: Vec<(&str, &str)> = chapters.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let page = read(&epub("Lamps", &chapters, &[("OPS/toc.ncx", ncx)])).unwrap();
        assert_eq!(page.markdown, expected, "{name}");
    }
}

#[test]
fn hostile_books_are_refused_or_cost_no_more_than_others() {
    let bomb = " ".repeat(200 * INFLATED_BYTES_FREE as usize);
    let deep = chapter("", &"<div>".repeat(5_000));
    let secret = "<encryption><EncryptedData><CipherReference URI=\"OPS/a.xhtml\"/></EncryptedData></encryption>";
    let font = "<encryption><EncryptedData><CipherReference URI=\"OPS/a.otf\"/></EncryptedData></encryption>";
    let text = chapter("", "<p>Once.</p>");
    let malformed = Unreadable::Malformed(Kind::Epub);
    for (name, bytes, expected) in [
        ("no archive", b"PK\x03\x04".to_vec(), malformed.clone()),
        ("no container", archive(&[TYPE]), malformed.clone()),
        ("no root", archive(&[TYPE, ("META-INF/container.xml", b"<container/>")]), malformed.clone()),
        ("no book", archive(&[TYPE, CONTAINER]), malformed),
        ("a bomb", epub("x", &[("a.xhtml", &bomb)], &[]), Unreadable::Bomb),
        ("blocks within blocks", epub("x", &[("a.xhtml", &deep)], &[]), Unreadable::TooDeep),
        ("encrypted", epub("x", &[("a.xhtml", &text)], &[("META-INF/encryption.xml", secret)]), Unreadable::Encrypted),
    ] {
        assert_eq!(read(&bytes).unwrap_err(), expected, "{name}");
    }
    let chapters = [("a.xhtml", text.as_str()); 500];
    let book = epub("x", &chapters[..1], &[("META-INF/encryption.xml", font)]);
    assert_eq!(read(&book).unwrap().markdown, "# x\n\nOnce.\n");
    let items = "<itemref idref=\"c\"/>".repeat(50_000);
    let package = format!(
        "<package><manifest><item id=\"c\" href=\"a.xhtml\" media-type=\"text/html\"/></manifest><spine>{items}</spine></package>"
    );
    let many = archive(&[TYPE, CONTAINER, ("OPS/book.opf", package.as_bytes()), ("OPS/a.xhtml", text.as_bytes())]);
    assert_eq!(read(&many).unwrap().markdown, "Once.\n");
    // A list of chapters that is broken costs nothing but itself.
    let book = epub("x", &chapters[..1], &[("OPS/toc.ncx", "<ncx><navMap>")]);
    assert_eq!(read(&book).unwrap().markdown, "# x\n\nOnce.\n");
}
