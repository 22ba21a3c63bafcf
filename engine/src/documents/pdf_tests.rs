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
