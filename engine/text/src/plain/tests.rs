//! Texts as people write them, and the Markdown that is made of them.

use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: &str) {
    let made = to_markdown(text);
    assert_eq!(made.trim_end(), expected, "\n{text}");
    assert_eq!(to_markdown(&made), made, "what was made is made again as something else:\n{text}");
}

#[test]
fn headings_are_found_in_all_spellings() {
    for (text, expected) in [
        ("1. Delivery\nWe send by post.", "## 1. Delivery\n\nWe send by post."),
        (
            "1. Scope\n\n1.1 Goods\nAll.\n\n1.2 Places\nAll.",
            "## 1. Scope\n\n### 1.1 Goods\n\nAll.\n\n### 1.2 Places\n\nAll.",
        ),
        (
            "09Data retention\nWe keep logs.\n\n10Your choices\nYou may object.",
            "## 09 Data retention\n\nWe keep logs.\n\n## 10 Your choices\n\nYou may object.",
        ),
        ("§ 4 Versand\nWir senden.", "## § 4 Versand\n\nWir senden."),
        ("Article 5: Returns\n\nThirty days.", "## Article 5: Returns\n\nThirty days."),
        (
            "Article 5\nReturns\n\nThirty days are what you have.",
            "## Article 5 Returns\n\nThirty days are what you have.",
        ),
        ("Section 3 – Fees\nNone.", "## Section 3 – Fees\n\nNone."),
        ("SCHEDULE 1\n\nThe partners are two.", "## SCHEDULE 1\n\nThe partners are two."),
        ("第3条 料金\n送料は500円です。", "## 第3条 料金\n\n送料は500円です。"),
        ("IV. Fees\n\nNone are due.", "## IV. Fees\n\nNone are due."),
        (
            "FEES AND CHARGES\nNone are due.\n\nCONTACT\nWrite to us.",
            "## FEES AND CHARGES\n\nNone are due.\n\n## CONTACT\n\nWrite to us.",
        ),
        ("Title\n=====\n\nPart\n----\nWords are here.", "# Title\n\n## Part\n\nWords are here."),
        (
            "7. Limit of Liability. We owe no more than 500 dollars.",
            "## 7. Limit of Liability\n\nWe owe no more than 500 dollars.",
        ),
        (
            "How long does it take?\nNine days, and no more than that.",
            "# How long does it take?\n\nNine days, and no more than that.",
        ),
        (
            "Q: How long?\nA: Nine days.\n\nQ: How much?\nA: 5 EUR.",
            "## How long?\n\nNine days.\n\n## How much?\n\n5 EUR.",
        ),
        (
            "1.0General\n1.1Who we are\nWe are a carrier.\n1.2Packing\nUse a box.\n\n2.0Prices\n2.1Fees\nNone.",
            "## 1.0 General\n\n### 1.1 Who we are\n\nWe are a carrier.\n\n### 1.2 Packing\n\nUse a box.\n\n## 2.0 Prices\n\n\
             ### 2.1 Fees\n\nNone.",
        ),
        (
            // A heading right behind a sentence whose line is full.
            "3.1At a counter\nParcels are accepted at the depot and at the counter by the ferry while\nthey are open, and \
             nowhere else on the whole island. You pay with cash.\n3.2At a drop box\nThere are two of them, which are \
             emptied in the early afternoon of each\nweekday.",
            "## 3.1 At a counter\n\nParcels are accepted at the depot and at the counter by the ferry while they are open, \
             and nowhere else on the whole island. You pay with cash.\n\n## 3.2 At a drop box\n\nThere are two of them, which \
             are emptied in the early afternoon of each weekday.",
        ),
        ("Returns policy\n\nYou may return goods.", "# Returns policy\n\nYou may return goods."),
    ] {
        check(text, expected);
    }
}

#[test]
fn what_only_looks_like_a_heading_is_none() {
    for (text, expected) in [
        ("Section 3 of these terms applies.", "Section 3 of these terms applies."),
        ("14 days after delivery the term ends.", "14 days after delivery the term ends."),
        ("12 March 2026 is the day.", "12 March 2026 is the day."),
        ("It is a matter of the\n§ 5 Abs. 1 of the law.", "It is a matter of the  \n§ 5 Abs. 1 of the law."),
        ("Last updated: 1 May 2026\n\nWords.", "Last updated: 1 May 2026\n\nWords."),
        ("ACME Ltd\n1 High Street\nLondon", "ACME Ltd  \n1 High Street  \nLondon"),
        ("Words.\n\nYours sincerely", "Words.\n\nYours sincerely"),
        ("# no *heading*\nline & <b>", "\\# no \\*heading\\*  \nline \\& \\<b>"),
    ] {
        check(text, expected);
    }
}

#[test]
fn lists_and_pairs_are_lists() {
    for (text, expected) in [
        (
            "We keep:\n  - names\n  - streets and\n    towns\n\nNo more.",
            "We keep:\n\n-   names\n-   streets and towns\n\nNo more.",
        ),
        ("Do this:\n1. Print it.\n2. Send it.", "Do this:\n\n1.  Print it.\n2.  Send it."),
        ("1. Shoes\n2. Books\n3. Lamps", "1.  Shoes\n2.  Books\n3.  Lamps"),
        (
            "You may:\n(a) ask;\n(b) object, unless\n    (i) it is late; or\n    (ii) it is lost;\n(c) go.",
            "You may:\n\n-   (a) ask;\n-   (b) object, unless\n    -   (i) it is late; or\n    -   (ii) it is lost;\n-   (c) go.",
        ),
        ("• first\n• second", "-   first\n-   second"),
        ("Zu:\n24. Dezember\n26. Dezember\n1. Januar", "Zu:\n\n24. Dezember\n26. Dezember\n1.  Januar"),
        ("08. Mai\n1) eins\n1) noch eins", "08. Mai\n1)  eins\n1)  noch eins"),
        ("✓ first\n✗ second", "-   ✓ first\n-   ✗ second"),
        ("Call us.\n\n+ 34 600 123 456", "Call us.\n\n\\+ 34 600 123 456"),
        ("o One thing\no Another", "-   One thing\n-   Another"),
        ("Tel: 030 1\nE-mail: a@b.example", "-   Tel: 030 1\n-   E-mail: a@b.example"),
        (
            "1.1Orders bind the shop and nobody else.\n1.2Prices are those of the day on which you order.",
            "-   1\\.1 Orders bind the shop and nobody else.\n-   1\\.2 Prices are those of the day on which you order.",
        ),
        (
            "Postage within the country, for parcels:\nStandard, up to 2 kg: £4.95\nExpress, approx. 2 kg: £9.50\n24 hours, any weight: £19.00\nPrices include tax.",
            "Postage within the country, for parcels:\n\n-   Standard, up to 2 kg: £4.95\n-   Express, approx. 2 kg: £9.50\n\
             -   24 hours, any weight: £19.00\n\nPrices include tax.",
        ),
        (
            "Counter, Monday to Friday: 7:30 am to 6:30 pm\nCounter, Saturday, in summer: 8:00 am to 2:00 pm\nParking: 12 spaces",
            "-   Counter, Monday to Friday: 7:30 am to 6:30 pm\n-   Counter, Saturday, in summer: 8:00 am to 2:00 pm\n-   Parking: 12 spaces",
        ),
        (
            "Bring what you need, as you like: a lamp. We have the rest, and\nwe help, as always: gladly.",
            "Bring what you need, as you like: a lamp. We have the rest, and we help, as always: gladly.",
        ),
        ("(g) x;\n(h) y;\n(i) z.", "-   (g) x;\n-   (h) y;\n-   (i) z."),
    ] {
        check(text, expected);
    }
}

#[test]
fn tables_are_tables_however_they_are_set() {
    let fees = "| Service | Fee |\n|---|---|\n| Copy | 5 EUR |\n| Courier | 20 EUR |";
    for (text, expected) in [
        ("Service | Fee\nCopy | 5 EUR\nCourier | 20 EUR", fees),
        ("| Service | Fee |\n|:--|--:|\n| Copy | 5 EUR |\n| Courier | 20 EUR |", fees),
        ("Service\tFee\nCopy\t5 EUR\nCourier\t20 EUR", fees),
        ("Service\t\tFee\nCopy\t\t5 EUR\nCourier\t20 EUR", fees),
        ("Service      Fee\nCopy         5 EUR\nCourier     20 EUR", fees),
        ("Service      Fee\n--------  ------\nCopy       5 EUR\n\nCourier   20 EUR", fees),
        (
            "+-----+-----+\n| Service | Fee |\n+-----+-----+\n| Copy | 5 EUR |\n| Courier | 20 EUR |\n+-----+-----+",
            fees,
        ),
        ("┌────┬────┐\n│ Service │ Fee │\n├────┼────┤\n│ Copy │ 5 EUR │\n│ Courier │ 20 EUR │\n└────┴────┘", fees),
        (
            "Table 2: Fees\n\nService   Fee\nCopy      5 EUR\nCourier   20 EUR",
            "Table 2: Fees:\n\n| Service | Fee |\n|---|---|\n| Copy | 5 EUR |\n| Courier | 20 EUR |",
        ),
        ("Copy ........ 5 EUR\nCourier ..... 20 EUR", "|  |  |\n|---|---|\n| Copy | 5 EUR |\n| Courier | 20 EUR |"),
        ("Owner    Jane Doe\nSeat     Berlin", "|  |  |\n|---|---|\n| Owner | Jane Doe |\n| Seat | Berlin |"),
        (
            "Data        Purpose      Period\nOrders      contract     10 years from the\n                         end of the year\nLogs        security     30 days",
            "| Data | Purpose | Period |\n|---|---|---|\n| Orders | contract | 10 years from the end of the year |\n| Logs | security | 30 days |",
        ),
        (
            "Zone     Weight   Price\nSpain    1 kg     5 EUR\n         2 kg     7 EUR",
            "| Zone | Weight | Price |\n|---|---|---|\n| Spain | 1 kg | 5 EUR |\n| Spain | 2 kg | 7 EUR |",
        ),
        (
            "          Standard      Express\nZone      Price  Days   Price  Days\nHome      5 EUR  3      9 EUR  1",
            "| Zone | Standard Price | Standard Days | Express Price | Express Days |\n|---|---|---|---|---|\n| Home | 5 EUR | 3 | 9 EUR | 1 |",
        ),
        (
            "Product       Price\nLamps\n  Aroma 300   30 EUR\nChairs\n  Oak         90 EUR",
            "Lamps:\n\n| Product | Price |\n|---|---|\n| Aroma 300 | 30 EUR |\n\nChairs:\n\n| Product | Price |\n|---|---|\n| Oak | 90 EUR |",
        ),
        ("| a | b\n| 1 | 2 \\|", "| a | b |\n|---|---|\n| 1 | 2 \\| |"),
        ("a | b_c\n1 | 2 \\| 3", "| a | b\\_c |\n|---|---|\n| 1 | 2 \\| 3 |"),
    ] {
        check(text, expected);
    }
}

#[test]
fn the_head_of_one_column_is_words_too() {
    assert_eq!(to_markdown("+--+\n| Fee |\n+--+\n| 5 EUR |\n+--+"), "Fee\n\n5 EUR\n");
    assert_eq!(to_markdown("+--+\n| 0\n+--+\n│- "), "0\n\n\\-\n");
}

#[test]
fn wrapped_lines_are_one_paragraph() {
    for (text, expected) in [
        (
            "We keep what you gave us for as long as the law of the land wants us to keep it in our sys-\r\n\
             tems, which is ten years for what is needed for taxes, and no longer than three years for\r\n\
             the rest.\r\n\r\nNext.",
            "We keep what you gave us for as long as the law of the land wants us to keep it in our systems, which \
             is ten years for what is needed for taxes, and no longer than three years for the rest.\n\nNext.",
        ),
        ("One.\u{c}Two.", "One.  \nTwo."),
        ("All goods are sold.  They hold for 30 days.", "All goods are sold. They hold for 30 days."),
    ] {
        check(text, expected);
    }
}

#[test]
fn a_policy_keeps_every_clause_and_every_row() {
    let made = to_markdown(include_str!("policy.txt"));
    let expected = include_str!("policy.md");
    assert_eq!(made, expected);
    assert_eq!(to_markdown(&made), made);
}

#[test]
fn markdown_stays_as_it_is() {
    for text in ["# A\n\n*b*  c\n1. Title\ntext", "Intro\n\n## A\ntext\n\n## B\ntext", "# A\n\nx   y\nz   1\n"] {
        assert_eq!(to_markdown(text), text);
    }
}

#[test]
fn what_was_made_here_is_known_and_a_path_is_not_taken_for_it() {
    for (text, made) in [
        ("snake\\_case\n", true),
        ("24\\. Dezember  \n\\> 18\n", true),
        ("-   1\\.1 Orders\n    \\+ 34\n", true),
        ("## A \\# b\n\nText.\n\n## C\n\nText.\n", true),
        ("| a | 2 \\| 3 |\n|---|---|\n", true),
        ("snake\\_case", false),
        ("C:\\data\\_new\n", false),
        ("C:\\_new\\.config\n", false),
        ("a \\> b\n", false),
        ("no sign of it\n", false),
        ("# A\n\n*b*\n\n# C\n", false),
    ] {
        assert_eq!(is_made(text), made, "{text}");
    }
}

#[test]
fn no_shape_of_text_costs_more_than_its_size_is_worth() {
    // Each is a megabyte; a pass that looked at the rest for every line would take minutes.
    for line in [
        "a | b | c\na | b\n",
        "a  b\n",
        "a   b    c\nab  c\n",
        "+--+\n",
        "x\ty\n",
        "1. x\n",
        "K: v\n  w\n",
        "k, l: v\n",
        "1.1Ab c.\n",
        "A\n",
        "(a) x\n",
        "ABC\n\n",
        "a .... b\n",
        "o X\n - y\n",
    ] {
        let text = line.repeat((1 << 20) / line.len());
        let begun = std::time::Instant::now();
        let _ = to_markdown(&text);
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{line:?}: {:?}", begun.elapsed());
    }
}

/// The words of a text, whatever stands between them.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_is_survived(text in "(?s).{0,400}") {
        let _ = to_markdown(&text);
    }

    #[test]
    fn any_shape_keeps_its_words(
        text in "([0-9]{1,2}[.)]? ?|[(]?[a-z][)] |[A-Z]{3,8} |[A-Z][a-z]{2,6} |[a-z]{2,6}|: |  |   |\n|\n\n|\t|[|] |- |\\* |[.]{4} |[+]--[+]\n|---\n|===\n|§ |Section |é|│|[\\\\]){0,60}"
    ) {
        let made = to_markdown(&text);
        let known = words(&made).concat();
        for word in words(&text) {
            prop_assert!(known.contains(&word), "{word} of {text:?}: {made:?}");
        }
    }
}
