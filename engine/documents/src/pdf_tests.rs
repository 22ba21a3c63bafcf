//! PDF files as programs write them.

use super::*;

fn read_fixture(bytes: &[u8]) -> String {
    read(bytes).unwrap().markdown
}

#[test]
fn columns_are_read_one_after_the_other() {
    assert_eq!(
        read_fixture(include_bytes!("../../../tests/fixtures/documents/columns.pdf")),
        "## The news of our shop in spring\n\n\
         Delivery to Spain takes four working days and costs six euros. For orders of more than fifty euros we bear \
         the costs. What is broken on its way to you is replaced at once.\n\n\
         Returns are taken for thirty days from the day on which you had your parcel. The goods must not have been \
         used. We pay back within ten days of the day we get them.\n\n\
         Our workshop repairs machines that we sold. A repair takes nine days and costs forty euros at most. You may \
         wait for it in our coffee shop, where we serve you for nothing.\n\n\
         Below the columns stands a paragraph that goes over the full width of the page and says more.\n"
    );
}

#[test]
fn a_price_list_over_pages_is_one_table_for_each_title() {
    let made = read_fixture(include_bytes!("../../../tests/fixtures/documents/prices.pdf"));
    let head = "| Product | Unit | Price |\n|---|---|---|\n";
    assert_eq!(made.matches(head).count(), 2, "{made}");
    assert!(made.contains(&format!("\n\nEspresso blends:\n\n{head}| Coffee no. 20 |")), "{made}");
    for n in 1..60 {
        let name = if n % 7 == 0 { " from the hills of the far south" } else { "" };
        assert!(made.contains(&format!("\n| Coffee no. {n}{name} | 250 g | {n}.50 EUR |\n")), "{n}: {made}");
    }
    assert!(made.contains("\n\n## Delivery\n\nWe send within two days. We send"), "{made}");
}

#[test]
fn letters_of_east_asia_are_read_without_their_maps() {
    let made = read_fixture(include_bytes!("../../../tests/fixtures/documents/japanese.pdf"));
    assert!(made.contains("未開封の商品は三十日以内に返品できます。"), "{made}");
}

#[test]
fn names_and_prices_on_top_of_pages_are_no_running_header() {
    let made = read_fixture(include_bytes!("../../../tests/fixtures/documents/sheets.pdf"));
    for sheet in ["Aroma 100 Price: 199 EUR", "Aroma 300 Price: 399 EUR", "Aroma 500 Price: 599 EUR"] {
        assert!(made.contains(sheet), "{made}");
    }
}

/// A document of one page: what is drawn on it, and its fonts by name. Other objects follow from number 5 on.
fn one_page(content: &str, fonts: &str, others: &[String]) -> Vec<u8> {
    let mut parts = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1<</Type/Font/Subtype/Type1\
             /BaseFont/Helvetica/Encoding/WinAnsiEncoding>>{fonts}>>>>>>"
        ),
        format!("<</Length {}>>\nstream\n{content}\nendstream", content.len()),
    ];
    parts.extend_from_slice(others);
    let mut out = String::from("%PDF-1.4\n");
    let mut places = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        places.push(out.len());
        out += &format!("{} 0 obj\n{part}\nendobj\n", at + 1);
    }
    let table = out.len();
    out += &format!("xref\n0 {}\n0000000000 65535 f \n", parts.len() + 1);
    for place in places {
        out += &format!("{place:010} 00000 n \n");
    }
    out += &format!("trailer\n<</Size {}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n", parts.len() + 1);
    out.into_bytes()
}

/// The objects of a font whose codes are those of Unicode, from number 5 on, and its widths.
fn unicode_font(widths: &str) -> Vec<String> {
    let map =
        "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n1 beginbfrange\n<0000> <FFFF> <0000>\nendbfrange\n";
    vec![
        "<</Type/Font/Subtype/Type0/BaseFont/A/Encoding/Identity-H/DescendantFonts[6 0 R]/ToUnicode 7 0 R>>".into(),
        format!("<</Type/Font/Subtype/CIDFontType2/BaseFont/A/FontDescriptor<</Type/FontDescriptor>>{widths}>>"),
        format!("<</Length {}>>\nstream\n{map}\nendstream", map.len()),
    ]
}

fn hex(words: &str) -> String {
    words.encode_utf16().map(|unit| format!("{unit:04X}")).collect()
}

#[test]
fn widths_of_ranges_hold_words_together() {
    // As a browser prints letters that are drawn nearer to each other: pieces of words, each moved to its place.
    let mut content = String::from("BT /F2 16 Tf 1 0 0 1 60 700 Tm");
    for (piece, width) in
        [("R", 9.3), ("etur", 31.7), ("ns ar", 39.7), ("e fr", 31.7), ("ee fr", 39.7), ("om F", 31.7), ("riday.", 0.0)]
    {
        content += &format!(" <{}> Tj {width} 0 Td", hex(piece));
    }
    content += " ET";
    let font = unicode_font("/DW 0/W[32 32 500 33 40 500 65 [500] 66 122 500 46 [500]]");
    let made = read_fixture(&one_page(&content, "/F2 5 0 R", &font));
    assert_eq!(made, "Returns are free from Friday.\n");
}

#[test]
fn words_that_run_to_the_left_are_read_as_they_were_written() {
    let mut content = String::new();
    for (y, shown) in [(700, ".םילקש 25 הלוע חולשמה"), (660, "ﻻﺎﻳر 25 ﻞﻴﺻﻮﺘﻟا مﻮﺳر")]
    {
        content += &format!("BT /F2 16 Tf 1 0 0 1 60 {y} Tm <{}> Tj ET ", hex(shown));
    }
    let made = read_fixture(&one_page(&content, "/F2 5 0 R", &unicode_font("/DW 500")));
    assert_eq!(made, "המשלוח עולה 25 שקלים. رسوم التوصيل 25 ريالا\n");
}

#[test]
fn what_nobody_sees_is_not_learned() {
    for (extra, seen, unseen) in [
        ("1 g BT /F1 11 Tf 60 700 Td (Children pay 77 euros.) Tj ET", false, 19),
        ("1 1 1 rg BT /F1 11 Tf 60 700 Td [(Children pay) -300 ( 77 euros.)] TJ ET", false, 19),
        ("q 0 0 0 0 k BT /F1 11 Tf 60 700 Td (Children pay 77 euros.) Tj ET Q", false, 19),
        ("BT 3 Tr /F1 11 Tf 60 700 Td (Children pay 77 euros.) Tj ET", false, 19),
        ("BT /F1 0.5 Tf 60 700 Td (Children pay 77 euros.) Tj ET", false, 19),
        ("BT /F1 11 Tf 60 -400 Td (Children pay 77 euros.) Tj ET", false, 19),
        ("BT /F1 11 Tf 900 700 Td (Children pay 77 euros.) Tj ET", false, 19),
        ("0 0 1 rg 50 690 300 30 re f 0 0 1 rg BT /F1 11 Tf 60 700 Td (Children pay 77 euros.) Tj ET", false, 19),
        // White on a dark ground is seen, and so is what comes after white words.
        ("0 0 1 rg 50 690 300 30 re f 1 g BT /F1 11 Tf 60 700 Td (Children pay 77 euros.) Tj ET", true, 0),
        ("q 1 g Q BT /F1 11 Tf 60 700 Td (Children pay 77 euros.) Tj ET", true, 0),
        ("q 12 0 0 12 0 0 cm BT /F1 0.9 Tf 5 58 Td (Children pay 77 euros.) Tj ET Q", true, 0),
        ("BT /F1 90 Tf 0.7 0.7 -0.7 0.7 100 200 Tm (DRAFT COPY) Tj ET", false, 0),
    ] {
        let content = format!("BT /F1 11 Tf 60 760 Td (Adults pay 8 euros.) Tj ET {extra}");
        let page = read(&one_page(&content, "", &[])).unwrap();
        assert!(page.markdown.starts_with("Adults pay 8 euros."), "{}", page.markdown);
        assert_eq!(page.markdown.contains("Children pay 77 euros."), seen, "{extra}: {}", page.markdown);
        let parts: Vec<_> = page.left_out.iter().map(|part| (part.why, part.chars)).collect();
        let expected = match (seen, unseen) {
            (true, _) => vec![],
            (false, 0) => vec![(WhyLeftOut::Outside, 9)],
            (false, chars) => vec![(WhyLeftOut::Hidden, chars)],
        };
        assert_eq!(parts, expected, "{extra}");
    }
    // The words of a scanned page have no ink, and it shows no others.
    let scanned = "BT 3 Tr /F1 11 Tf 60 700 Td (Children pay 77 euros.) Tj ET";
    assert_eq!(read_fixture(&one_page(scanned, "", &[])), "Children pay 77 euros.\n");
}
