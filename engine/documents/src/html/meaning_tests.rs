//! Pages whose meaning lies in more than their words: what belongs to what, what is shown by a click, what
//! no longer holds. Each row is a kind of page that was once read wrongly.

use super::read;
use crate::WhyLeftOut;

/// Pages by what they have, with the Markdown that they become.
fn check(rows: &[(&str, &str, &str)]) {
    let mut wrong = String::new();
    for (what, html, expected) in rows {
        let markdown = read(html).unwrap().markdown;
        if markdown != *expected {
            wrong.push_str(&format!("--- {what}: expected\n{expected}--- got\n{markdown}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_a_click_shows_stands_below_its_title() {
    check(&[
        (
            "buttons in headings",
            "<h2>Help</h2><h3><button aria-expanded=false aria-controls=p1>How long?</button></h3>
             <div id=p1><p>Nine days.</p></div><h3><button aria-controls=p2>By invoice?</button></h3>
             <div id=p2 hidden><p>From 300 euros on.</p></div>",
            "## Help\n\n### How long?\n\nNine days.\n\n### By invoice?\n\nFrom 300 euros on.\n",
        ),
        (
            "a hidden part below a heading that has nothing else",
            "<h3 id=q1>How long?</h3><div id=p1 role=region hidden><p>Nine days.</p></div>
             <h3>By invoice?</h3><div class=answer style='display: none'>No.</div>",
            "### How long?\n\nNine days.\n\n### By invoice?\n\nNo.\n",
        ),
        (
            "panels with headings as high as the one above them",
            "<h2>Help</h2><div><h2><button data-bs-toggle=collapse data-bs-target='#a'>How long?</button></h2>
             <div id=a class='collapse show'><div>Nine days.</div></div></div>
             <div><h2><a href='#b' data-toggle=collapse>By invoice?</a></h2><div id=b aria-hidden=true><div>No.</div></div></div>",
            "## Help\n\n### How long?\n\nNine days.\n\n### By invoice?\n\nNo.\n",
        ),
        (
            "buttons before blocks, without names",
            "<h2>Help</h2><button class=accordion>Gift cards</button><div class=panel>From 10 EUR.</div>
             <button class=accordion>Vouchers</button><div class=panel><p>Three years.</p></div>",
            "## Help\n\n### Gift cards\n\nFrom 10 EUR.\n\n### Vouchers\n\nThree years.\n",
        ),
        (
            "tabs by their names",
            "<h2>Plans</h2><ul role=tablist><li><button role=tab aria-controls=a>Basic</button><li>
             <a role=tab href='#b'>Pro</a></ul><div id=a role=tabpanel>10 EUR a month.</div>
             <div id=b role=tabpanel hidden><p>20 EUR a month.</div>",
            "## Plans\n\n### Basic\n\n10 EUR a month.\n\n### Pro\n\n20 EUR a month.\n",
        ),
        (
            "tabs by their places",
            "<h2>Hours</h2><ul><li class=on>Summer<li>Winter</ul><div><div class='pane on'>Open 9–20.</div>
             <div class=pane style='display:none'>Open 10–16.</div></div>",
            "## Hours\n\n### Summer\n\nOpen 9–20.\n\n### Winter\n\nOpen 10–16.\n",
        ),
        (
            "details, within details",
            "<h2>Help</h2><details><summary>Can I cancel?</summary><p>Until noon.<details><summary>Abroad</summary>No.
             </details></details><details><summary><h3>Refunds</h3></summary><p>In 14 days.</details>",
            "## Help\n\n### Can I cancel?\n\nUntil noon.\n\n#### Abroad\n\nNo.\n\n### Refunds\n\nIn 14 days.\n",
        ),
        (
            "terms that ask",
            "<dl><dt>Dogs?<dd>Welcome.<dt><button aria-controls=x>Cats?</button><dd id=x hidden>No.</dl>",
            "# Dogs?\n\nWelcome.\n\n# Cats?\n\nNo.\n",
        ),
        (
            "questions in blocks of their own",
            "<h2>Help</h2><div class=x><div>Is there parking?</div><div>Yes, 40 places.</div></div>
             <ul><li><h3>Vegan food?</h3><p>Yes.</p></li></ul>",
            "## Help\n\n### Is there parking?\n\nYes, 40 places.\n\n### Vegan food?\n\nYes.\n",
        ),
        (
            "more of a list",
            "<ul><li>Lamps<li>Shades<li hidden>Bulbs</ul><button>Show all</button>",
            "-   Lamps\n-   Shades\n-   Bulbs\n",
        ),
        (
            "a dialog that is opened, and one that is not",
            "<p>Text.</p><button commandfor=s>Size guide</button><dialog id=s>S is 90 wide.</dialog>
             <dialog>Join our club!</dialog>",
            "Text.\n\n# Size guide\n\nS is 90 wide.\n",
        ),
        (
            "what nothing shows",
            "<h2>Hours</h2><p>Nine to five.</p><p hidden>Internal note.</p><div style='Display : NONE'>Old.</div>
             <template><p>Card</p></template><div id=t hidden>{{name}}</div><button aria-controls=t>x</button>
             <i aria-hidden=true>expand_more</i><noscript>Script!</noscript><span style='visibility:hidden'>x</span>",
            "## Hours\n\nNine to five.\n",
        ),
    ]);
    let parts = read("<p>Seen.<div hidden>This is a text that nothing on the page shows.</div>").unwrap().left_out;
    assert_eq!((parts[0].what.as_str(), parts[0].why, parts[0].chars), ("div", WhyLeftOut::Hidden, 47));
}

#[test]
fn values_stay_in_their_columns_and_under_their_heads() {
    check(&[
        (
            "a cell over rows",
            "<table><tr><th>Country<th>Zone<th>Price<tr><td rowspan=2>Spain<td>Mainland<td>5 EUR
             <tr><td>Canary Islands<td>19 EUR<tr><td>France<td>All<td>7 EUR</table>",
            "| Country | Zone | Price |\n|---|---|---|\n| Spain | Mainland | 5 EUR |\n\
             | Spain | Canary Islands | 19 EUR |\n| France | All | 7 EUR |\n",
        ),
        (
            "cells over rows and columns, in the middle and at the end",
            "<table><tr><th>A<th>B<th>C<tr><td>1<td colspan=2 rowspan=2>x<tr><td>2<tr><td>3<td>y<td rowspan=0>z<tr><td>4<td>w</table>",
            "| A | B | C |\n|---|---|---|\n| 1 | x | x |\n| 2 | x | x |\n| 3 | y | z |\n| 4 | w | z |\n",
        ),
        (
            "a head of two rows, a caption, groups and a note",
            "<table><caption>Entry 2026.</caption><thead><tr><th rowspan=2>Ticket<th colspan=2>Adults<tr><th>weekday<th>weekend
             </thead><tbody><tr><th scope=row>Day<td>20<td>25<tr><td colspan=3>After 4 pm<tr><th scope=row>Day<td colspan=2>12
             <tr><td colspan=3>Children are free.</table>",
            "Entry 2026:\n\n| Ticket | Adults weekday | Adults weekend |\n|---|---|---|\n| Day | 20 | 25 |\n\n\
             Entry 2026, After 4 pm:\n\n| Ticket | Adults weekday | Adults weekend |\n|---|---|---|\n| Day | 12 | 12 |\n\n\
             Children are free.\n",
        ),
        (
            "groups without a caption",
            "<table><tr><th>Dish<th>Price<tr><td colspan=2>Soups<tr><td>Tomato<td>6<tr><th colspan=2>Cakes<tr><td>Almond<td>7</table>",
            "Soups:\n\n| Dish | Price |\n|---|---|\n| Tomato | 6 |\n\nCakes:\n\n| Dish | Price |\n|---|---|\n| Almond | 7 |\n",
        ),
        (
            "groups right below the head, as heads of the page",
            "<table><thead><tr><th>Service<th>Fee</thead><tr><th colspan=2>Letters and certificates<tr><td>Fitness letter<td>£25
             <tr><td>Sick note<td>£15<tr><th colspan=2>Medicals<tr><td>HGV<td>£120</table>",
            "Letters and certificates:\n\n| Service | Fee |\n|---|---|\n| Fitness letter | £25 |\n| Sick note | £15 |\n\n\
             Medicals:\n\n| Service | Fee |\n|---|---|\n| HGV | £120 |\n",
        ),
        (
            "a group above the head, and heads again",
            "<table><tr><th colspan=2>Letters<tr><th>Service<th>Fee<tr><td>Fitness<td>£25<tr><td>Sick<td>£15
             <tr><th colspan=2>Medicals<tr><th>Vehicle<th>Fee<tr><td>HGV<td>£120<tr><td>Taxi<td>£90<tr><th>Vehicle<th>Fee<tr><td>Bus<td>£99</table>",
            "Letters:\n\n| Service | Fee |\n|---|---|\n| Fitness | £25 |\n| Sick | £15 |\n\n\
             Medicals:\n\n| Vehicle | Fee |\n|---|---|\n| HGV | £120 |\n| Taxi | £90 |\n| Bus | £99 |\n",
        ),
        (
            "a title, then groups; a group that is a bold name; a cell over more columns than there are",
            "<table><tr><td colspan=2>Prices 2026<tr><td>Dish<td>Price<tr><td colspan=99>Soups<tr><td>Tomato<td>6.50<tr><td>Leek<td>7.50
             <tr><td><b>Cakes</b><td><tr><td>Almond<td>8.50<tr><td>Apple<td>5.50</table>",
            "Prices 2026, Soups:\n\n| Dish | Price |\n|---|---|\n| Tomato | 6.50 |\n| Leek | 7.50 |\n\n\
             Prices 2026, Cakes:\n\n| Dish | Price |\n|---|---|\n| Almond | 8.50 |\n| Apple | 5.50 |\n",
        ),
        (
            "names of rows without values are no groups",
            "<table><tr><th>Day<th>Hours<tr><th>Mon<td>9–5<tr><th>Sun<td><tr><th>Tue<td>9–6</table>",
            "| Day | Hours |\n|---|---|\n| Mon | 9–5 |\n| Sun |  |\n| Tue | 9–6 |\n",
        ),
        (
            "names and values, and a head without marks",
            "<table><tr><td>Monday<td>closed<tr><td>Tuesday<td>9–17</table><table><tr><td>Item<td>Price<tr><td>Soup<td>6.50</table>
             <table><tr><td><b>Weight</b><td><b>Zone</b><tr><td>1 kg<td>A</table><table><tr><th>Mail<td>a@b.example<tr><th>Fax<td>1</table>",
            "|  |  |\n|---|---|\n| Monday | closed |\n| Tuesday | 9–17 |\n\n| Item | Price |\n|---|---|\n| Soup | 6.50 |\n\n\
             | Weight | Zone |\n|---|---|\n| 1 kg | A |\n\n|  |  |\n|---|---|\n| Mail | a@b.example |\n| Fax | 1 |\n",
        ),
        (
            "tables that lay out a page",
            "<table><tr><td><h3>Left</h3><p>One.</p><td><ul><li>a<li>b</ul></table>
             <table><tr><td><table><tr><th>Size<th>cm<tr><td>S<td>90</table></table><table><tr><td>Phone<td>555</table>",
            "### Left\n\nOne.\n\n-   a\n-   b\n\n| Size | cm |\n|---|---|\n| S | 90 |\n\nPhone: 555\n",
        ),
        (
            "lines in a cell, a table in a list",
            "<table><tr><th>Day<th>Hours<tr><td>Mon<td>9–12<br>14–18</table><ul><li>Sizes<table><tr><th>Size<th>cm<tr><td>S<td>90</table></ul>",
            "| Day | Hours |\n|---|---|\n| Mon | 9–12, 14–18 |\n\nSizes\n\n| Size | cm |\n|---|---|\n| S | 90 |\n",
        ),
    ]);
}

#[test]
fn labels_stay_with_their_values() {
    check(&[
        (
            "spans and blocks side by side",
            "<div class=row><span>Margherita</span><span>9.50</span></div><div class=row><div>Regina</div><div>11.00</div></div>
             <div class=row><div>Sunday</div><div>closed</div></div><div class=row><div>Monday</div><div>closed</div></div>
             <p><span>H</span><span>ello</span> <span>19</span><sup>99</sup> <b>€</b><b>5</b></p>",
            "Margherita 9.50\n\n-   Regina: 11.00\n\n-   Sunday: closed\n\n-   Monday: closed\n\nHello 19.99 €5\n",
        ),
        (
            "definitions",
            "<dl><dt>Delivery:<dd>Two days<dd>Free from 50 EUR<div><dt>Mail<dt>Web<dd>a@b.example</div>
             <dt>Warranty<dd><p>Two years.<p>Batteries one.</dl>",
            "-   Delivery: Two days; Free from 50 EUR\n\n-   Mail / Web: a@b.example\n\n# Warranty\n\nTwo years.\n\nBatteries one.\n",
        ),
        (
            "lines that are records, and lines that are not",
            "<p>Mon–Fri 9–17<br>Sat 10–14<br/>Sun closed</p><p>Mail us<br>or call.</p><address>High Street<br>Oldtown</address>",
            "-   Mon–Fri 9–17\n-   Sat 10–14\n-   Sun closed\n\nMail us  \nor call.\n\n-   High Street\n-   Oldtown\n",
        ),
        (
            "bold lines that are headings",
            "<h2>Shop</h2><p><strong>Opening hours</strong></p><p>Nine to five.</p><p><b>Summer</b><br>Mon 9–20<br>Tue 9–20<br><b>Winter</b>
             <br>Mon 10–16<br>Tue 10–16</p><p><b>Free delivery from 50 EUR</b></p><p>Always.</p><p><b>The end</b></p>",
            "## Shop\n\n### Opening hours\n\nNine to five.\n\n### Summer\n\n-   Mon 9–20\n-   Tue 9–20\n\n### Winter\n\n\
             -   Mon 10–16\n-   Tue 10–16\n\nFree delivery from 50 EUR\n\nAlways.\n\nThe end\n",
        ),
        (
            "cards with their prices on top",
            "<div><div><span>19 EUR</span><h3>Basic</h3><p>One user</p></div><div><div><span>29 EUR</span></div><h3>Team</h3><p>Five</p></div></div>",
            "### Basic\n\n19 EUR\n\nOne user\n\n### Team\n\n29 EUR\n\nFive\n",
        ),
        (
            "struck words",
            "<p>Now 17 EUR <s>19 EUR</s><del>20 EUR</del><strike>21 EUR</strike>
             <span style='color:red; text-decoration : Line-Through solid'>22 EUR</span><i style='text-decoration-line:line-through'>23</i></p>
             <table><tr><th>A<th>B<tr><td>x<td><del>9</del> <ins>8</ins></table><h2><s>Old</s> New</h2>",
            "Now 17 EUR\n\n| A | B |\n|---|---|\n| x | 8 |\n\n## New\n",
        ),
        (
            "links that call and write",
            "<p><a href='tel:+34 912'>Call us</a>, <a href='tel:912'>912 345 678</a>, <a href='mailto:a@b.example?subject=x'>write</a></p>",
            "Call us +34 912, 912 345 678, write a@b.example\n",
        ),
    ]);
}

const LONG: &str = "Our shop roasts coffee in small lots and sends it to all of Europe within a few days of the roast. \
                    Our shop roasts coffee in small lots and sends it to all of Europe within a few days of the roast.";

#[test]
fn names_alone_leave_nothing_out() {
    let links: String = (0..8).map(|n| format!("<li><a href=/p{n}>Page {n}</a>")).collect();
    for (part, kept) in [
        ("<section id=menu><h2>Our menu</h2><p>Tomato soup, 6.50 EUR.</p></section>", Some("Tomato soup, 6.50 EUR.")),
        ("<div class=cookies><h3>Cookies</h3><p>We use only butter in our oat cookies.</p></div>", Some("only butter")),
        ("<div class=banner>Free delivery from 30 EUR.</div>", Some("Free delivery from 30 EUR.")),
        ("<div class='sidebar popup modal ads'>Closed on Mondays in June.</div>", Some("Closed on Mondays")),
        ("<div class=share><p>Share a table with friends on Fridays.</p></div>", Some("Share a table")),
        (
            "<ul class=products><li><a href=/a>Lamp 19.00 EUR</a><li><a href=/b>Desk 90.00 EUR</a><li><a href=/c>Bed</a></ul>",
            Some("Lamp 19.00 EUR"),
        ),
        (&format!("<div class=nice-box><ul>{links}</ul></div>"), None),
        (&format!("<div id=menu><ul>{links}</ul></div>"), None),
        (&format!("<nav><p>A word</p><ul>{links}</ul></nav>"), None),
        ("<div class=cookie-consent><p>We use cookies to improve this site.</p><button>Accept</button></div>", None),
        ("<div id=breadcrumbs><a href=/>Home</a> › <a href=/a>Coffee</a></div>", None),
        ("<form><label>Your name</label></form>", None),
    ] {
        let page = read(&format!("<body><h1>Shop</h1><p>{LONG}</p>{part}<p>{LONG} Ever.</p>")).unwrap();
        match kept {
            Some(words) => assert!(page.markdown.contains(words), "{part}: {}", page.markdown),
            None => {
                assert_eq!(page.markdown.matches("\n\n").count(), 2, "{part}: {}", page.markdown);
                assert_eq!(page.left_out.len(), 1, "{part}: {:?}", page.left_out);
            }
        }
    }
}

#[test]
fn what_a_head_or_foot_says_of_the_business_is_kept() {
    let links: String = (0..8).map(|n| format!("<li><a href=/p{n}>Page {n}</a>")).collect();
    let page = format!(
        "<html lang=de-AT><title>Kaffee</title><header><nav><ul>{links}</ul></nav><a href='tel:+43123456'>Anrufen</a></header>
         <main><h1>Kaffee</h1><p>{LONG}</p></main>
         <aside><h3>Öffnungszeiten</h3><p>Mo–Fr 9–17<br>Sa 10–14</p></aside>
         <footer><div><h4>Adresse</h4><p>Ring 5, 1010 Wien</p><h4>Links</h4><ul>{links}</ul></div>
         <p>Mail: <a href='mailto:a@b.example'>a@b.example</a></p><p>© 2020–2026 Kaffee. Alle Rechte vorbehalten.</p>
         <p>Anrufen +43123456</p></footer>"
    );
    assert_eq!(
        read(&page).unwrap().markdown,
        format!(
            "# Kaffee\n\n{LONG}\n\n## Kontakt\n\nAnrufen +43123456\n\nMail: a@b.example\n\n\
             ## Öffnungszeiten\n\n-   Mo–Fr 9–17\n-   Sa 10–14\n\n## Adresse\n\nRing 5, 1010 Wien\n"
        )
    );
}

#[test]
fn what_is_stated_and_not_seen_is_added() {
    let business = r#"{"@context":"https://schema.org","@graph":[{"@type":"Restaurant","name":"Casa Verde","telephone":"+34 912 345 678",
        "email":"mailto:a@b.example","address":{"@type":"PostalAddress","streetAddress":"Calle Mayor 5","postalCode":"28013","addressLocality":"Madrid"},
        "openingHoursSpecification":[{"dayOfWeek":["Monday","https://schema.org/Tuesday"],"opens":"09:00:00","closes":"17:00"},{"dayOfWeek":"Sunday","opens":"00:00","closes":"00:00"}]},
        {"@type":["Product"],"name":"Lamp","offers":[{"@type":"Offer","price":19.5,"priceCurrency":"EUR","availability":"https://schema.org/InStock"}]}]}"#;
    let faq = r#"[{"@type":"FAQPage","mainEntity":[{"@type":"Question","name":"Dogs?","acceptedAnswer":{"@type":"Answer","text":"<p>Dogs &amp; cats are welcome.</p>"}},
        {"@type":"Question","name":"Shown?","acceptedAnswer":{"text":"This answer is on the page."}}]}]"#;
    let page = |statement: &str, text: &str| {
        let html = format!("<html lang=es><p>{text}</p><script type='application/ld+json'>{statement}</script>");
        read(&html).unwrap().markdown
    };
    assert_eq!(
        page(business, "Llama al +34-912-345-678."),
        "Llama al +34-912-345-678.\n\n## Casa Verde\n\nCorreo electrónico: a@b.example\n\nDirección: Calle Mayor 5, 28013 Madrid\n\n\
         Horario:\n\n| Día | Horario |\n|---|---|\n| lunes, martes | 09:00–17:00 |\n| domingo | cerrado |\n\n\
         ## Lamp\n\nPrecio: 19.5 EUR\n\nLamp: disponible\n"
    );
    assert_eq!(
        page(faq, "This answer is on the page."),
        "This answer is on the page.\n\n## Dogs?\n\nDogs \\& cats are welcome.\n"
    );
    assert_eq!(
        page(r#"{"@type":"Store","name":"S","openingHours":["Mo-Fr 09:00-17:00","Sa,Su 10:00-14:00"]}"#, "x"),
        "x\n\n## S\n\nHorario:\n\n| Día | Horario |\n|---|---|\n| lunes–viernes | 09:00–17:00 |\n| sábado, domingo | 10:00–14:00 |\n"
    );
    for nonsense in [
        "{",
        "null",
        "[[[[]]]]",
        r#"{"@type":7,"name":{}}"#,
        r#"{"@type":"Product","offers":[1,"x",null]}"#,
        &"[".repeat(10_000),
    ] {
        assert_eq!(page(nonsense, "x"), "x\n", "{nonsense:.40}");
    }
    let many = format!(
        "[{}]",
        r#"{"@type":"Product","name":"A","offers":{"price":"1234567"}},"#.repeat(20_000).trim_end_matches(',')
    );
    assert!(page(&many, "x").len() < 100, "one thing is stated once");
}

#[test]
fn what_attributes_state_is_added_like_json_ld() {
    let item =
        |inner: &str| format!("<html lang=en><p>x</p><div itemscope itemtype='https://schema.org/Store'>{inner}</div>");
    let offer = "<div itemprop=offers itemscope itemtype=https://schema.org/Offer><meta itemprop=price content=25.00>
                 <meta itemprop=priceCurrency content=GBP><link itemprop=availability href=https://schema.org/OutOfStock></div>";
    let product = format!(
        "<div itemscope itemtype=http://schema.org/Product><b itemprop=name>Desk lamp</b> now £19{offer}</div>"
    );
    let store = item(
        "<meta itemprop=name content='Lamp House'><a itemprop=email href='mailto:a@b.example?subject=x'>Write</a>
         <meta itemprop=openingHours content='Mo-Fr 09:00-17:30, Sa 10:00-14:00'>
         <div itemprop=address itemscope><meta itemprop=streetAddress content='12 High Street'><meta itemprop=postalCode content='SW1A 1AA'></div>",
    );
    check(&[
        (
            "a store in microdata",
            &store,
            "x\n\nWrite a@b.example\n\n## Lamp House\n\nAddress: 12 High Street, SW1A 1AA\n\nOpening hours:\n\n\
             | Day | Opening hours |\n|---|---|\n| Monday–Friday | 09:00–17:30 |\n| Saturday | 10:00–14:00 |\n",
        ),
        (
            "a product in microdata",
            &product,
            "Desk lamp now £19\n\n## Desk lamp\n\nPrice: 25.00 GBP\n\nDesk lamp: sold out\n",
        ),
        (
            "hours in RDFa",
            "<div vocab='https://schema.org/' typeof='schema:Dentist Thing'><h2 property=name>Dr Day</h2>
             <div property=openingHoursSpecification typeof=OpeningHoursSpecification><link property=dayOfWeek href='https://schema.org/Monday'>
             <meta property=opens content='08:00:00'><time property=closes datetime='T12:30'></time></div></div>",
            "## Dr Day\n\n## Dr Day\n\nOpening hours:\n\n| Day | Opening hours |\n|---|---|\n| Monday | 08:00–12:30 |\n",
        ),
        (
            "what a script would fill in, and names of no thing",
            "<meta property='og:phone' content='555-0100-22'><div itemscope itemtype=x/Store><meta itemprop=telephone content='{{tel}}'>x</div>
             <span itemprop=telephone content='555-0100-33'>y</span>",
            "x\n\ny\n",
        ),
    ]);
    // JSON-LD goes before: hours are told once.
    let json = r#"<script type="application/ld+json">{"@type":"Store","name":"Lamp House","openingHours":"Mo-Su 08:00-20:00"}</script>"#;
    let both = read(&format!("{store}{json}")).unwrap().markdown;
    assert!(both.contains("08:00–") && !both.contains("09:00"), "{both}");
    let deep = "<div itemscope itemprop=a>".repeat(400) + &"<i itemprop=b>word</i>".repeat(10_000);
    assert!(read(&deep).unwrap().markdown.contains("word"));
}

#[test]
fn a_fact_that_is_shown_is_not_said_again_in_another_spelling() {
    let store = r#"{"@type":"Store","name":"Lamp House","telephone":"+44 20 7946 0958","address":{"streetAddress":"12 High Street",
        "postalCode":"SW1A 1AA","addressLocality":"London","addressCountry":"GB"},"openingHours":["Mo-Fr 09:00-17:30","Sa 10:00-14:00"]}"#;
    let lamp = r#"{"@type":"Product","name":"Desk lamp","offers":{"price":"25.0","priceCurrency":"GBP","availability":"https://schema.org/InStock"}}"#;
    let read = |statement: &str, text: &str| {
        let html = format!("<html lang=en>{text}<script type='application/ld+json'>{statement}</script>");
        read(&html).unwrap().markdown
    };
    let shown = "<p>Lamp House, London SW1A 1AA, 12 High Street. Call 020 7946 0958. Open Mon to Fri 9am–5.30pm, Saturday 10–14.</p>";
    assert_eq!(read(store, shown).matches("\n\n").count(), 0);
    for (text, expected) in [
        (shown.replace("0958", "0959"), "Telephone: +44 20 7946 0958"),
        (shown.replace("12 High", "14 High"), "Address: 12 High Street"),
        (shown.replace("5.30pm", "6pm"), "| Monday–Friday | 09:00–17:30 |"),
        (shown.replace("Saturday", "Sunday"), "| Saturday | 10:00–14:00 |"),
    ] {
        let made = read(store, &text);
        assert!(made.contains(expected), "{text}: {made}");
    }
    for (text, is_said) in [
        ("<p>Desk lamp: £25, in stock.</p>", true),
        ("<title>Desk lamp</title><p>In stock.</p><p>£25.00</p>", true),
        ("<p>Desk lamp: £125, in stock.</p>", false),
        ("<p>Desk lamp with 25 LEDs, in stock.</p>", false),
        ("<p>Floor lamp: £25, in stock.</p>", false),
    ] {
        let made = read(lamp, text);
        assert_eq!(!made.contains("Price: 25.0 GBP"), is_said, "{text}: {made}");
    }
}
