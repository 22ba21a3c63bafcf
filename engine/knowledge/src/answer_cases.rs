//! Questions that products of this kind are reported to fail, each with what is right.

use std::sync::Arc;

use engine_store::memory::MemoryStore;
use schema::{TenantId, Timestamp};

use super::super::{Knowledge, Query, Weights};
use super::*;

/// What is said to the last question of a talk about one document.
async fn said(source: &str, text: &str, asked: &[&str]) -> String {
    let data = tempfile::tempdir().unwrap();
    let knowledge = Knowledge::open(data.path(), Arc::new(MemoryStore::default()));
    let tenant = TenantId::generate();
    let document = super::super::Document::new(source, text);
    knowledge.learn(tenant, vec![document], Timestamp::from_millis(0)).await.unwrap();
    let (question, before) = asked.split_last().unwrap();
    let query = Query { question: (*question).into(), before: before.iter().map(|said| (*said).to_string()).collect() };
    let found = knowledge.find(tenant, query, 5, Weights::USED).await.unwrap();
    reply(&Prompt {
        system: "".into(),
        lines: Vec::new(),
        question: (*question).into(),
        before: before.iter().map(|said| (*said).into()).collect(),
        locale: None,
        passages: found.into_iter().map(|found| found.passage).collect(),
        max_output_tokens: 1024,
    })
    .0
}

#[tokio::test]
async fn reported_failures_are_answered() {
    let shop = "# Aroma 300\n\nThe Aroma 300 costs 399 EUR. Its warranty lasts three years.\n\n\
                # Aroma 500\n\nThe Aroma 500 costs 599 EUR. Its warranty lasts five years.\n";
    let german = "# Versandkosten\n\nDie Versandkosten betragen innerhalb Deutschlands 4,90 Euro.\n\n\
                  # Gutscheine\n\nGutscheine sind drei Jahre gültig.\n";
    let arabic = "# الشحن\n\nيستغرق الشحن إلى النرويج تسعة أيام عمل. تكلفة الشحن خمسة دنانير.\n";
    let faq = "# Questions\n\n- How long does delivery to Norway take?\n- Can I pay by invoice?\n\n\
               # Delivery abroad\n\nParcels to the north of Europe arrive after nine working days.\n\n\
               # Invoices\n\nCompanies may pay by invoice from 300 euros on.\n";
    let rows: &[(&str, &str, &[&str], &str, &str)] = &[
        ("Chinese", "# 运费\n\n运费为九十元，满五百元免运费。\n", &["运费是多少"], "九十元", "我不知道"),
        ("Japanese", "# 送料\n\n送料は全国一律五百円です。\n", &["送料はいくらですか"], "五百円", "わかりません"),
        ("Korean", "# 배송비\n\n배송비는 삼천 원입니다.\n", &["배송비는 얼마예요?"], "삼천 원", "모르겠습니다"),
        ("Arabic", arabic, &["كم سعر شحن؟"], "خمسة دنانير", "لا أعرف"),
        ("Arabic with marks", arabic, &["الشَّحْنُ"], "الشحن", "لا أعرف"),
        ("German compounds", german, &["Was kostet der Versand?"], "4,90 Euro", "Gutscheine"),
        ("German plurals", german, &["Wie lange ist ein Gutschein gültig?"], "drei Jahre", "4,90"),
        (
            "French",
            "# Livraison\n\nLa livraison en Norvège prend neuf jours ouvrables et coûte 19 euros.\n",
            &["Combien coûte la livraison ?"],
            "“Livraison”",
            "From",
        ),
        (
            "follow-up",
            shop,
            &["Tell me about the Aroma 500.", "How long is its warranty?"],
            "five years",
            "three years",
        ),
        ("another model", shop, &["How long is the warranty of the Aroma 700?"], "I don't know", "years"),
        ("a question is no answer", faq, &["How long does delivery to Norway take?"], "", "How long does delivery"),
    ];
    let mut failed = Vec::new();
    for (name, text, asked, right, wrong) in rows {
        let reply = said("page.md", text, asked).await;
        if !reply.contains(right) || reply.contains(wrong) {
            failed.push(format!("{name}: {reply}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A small site as owners write it, with what its visitors ask. Each row: what is asked, what the reply must say, and
/// what it must not.
#[tokio::test]
async fn what_visitors_found_is_answered() {
    let hours = "# Visit us\n\n| | |\n|---|---|\n| Monday | Closed |\n| Tuesday – Friday | 10:00–21:00 |\n\n\
                 ## Parking\n\nBridge Street car park: £1.40 an hour, free after 6pm\n";
    let prices = "# Prices\n\n| Item | Size | Price (£) | Member discount |\n|---|---|---|---|\n\
                  | Bowl | up to 20 cm | 2.40 | 20% |\n| Mug | small | 1.50 | 10% |\n";
    let rooms = "# Rooms\n\n| Room | Low season | High season |\n|---|---|---|\n| Suite | - | 300 EUR |\n\
                 | Loft | on request | 500 EUR |\n| Attic | | 70 EUR |\n";
    let faq = "# Questions\n\n## Is smoking allowed?\n\nNo.\n\n## What is the wifi password?\n\nsunshine22\n";
    let plain = "# Boats\n\n## Breakfast\n\nBreakfast is included.\n\n## Pool\n\nThe pool is heated.\n\n\
                 ## Returns\n\nReturns of lamps are possible within 14 days [2].\n\n## Opening hours\n\n\
                 Sunday: 12:00–23:00. Monday to Friday: 9:00–18:00.\n\n## Delivery\n\nDelivery costs €3.50.\n\n\
                 ## Deposit\n\nThe deposit is 50 €.\n\n## Parking\n\nParking is free.\n";
    let imprint = "# Contact\n\n- Bank: IBAN DE89 3704 0044 0532 0130 00\n- Company number: 0123 456 789\n\
                   - info@boats.example\n";
    let foot = "# Mudlark pottery\n\nOpening: Tuesday to Friday.\n\n01237 555018 · hello@mudlark.example\n\n\
                14 Kiln Lane, Bideford EX39 2QW\n";
    let four = "When are you open on Sunday? How much is delivery? What is the deposit? Is the pool heated?";
    let story = "I read about the deposit yesterday. When are you open on Sunday?";
    let rows: &[(&str, &[&str], &str, &str)] = &[
        (plain, &["Is breakfast included?"], "“Breakfast is included.”", "I don't know"),
        (plain, &["Is the pool heated?"], "“The pool is heated.”", "I don't know"),
        (plain, &["Are returns of lamps possible?"], "within 14 days [\u{2060}2].” [1]", "days [2]"),
        (plain, &["How much is delivery? When are you open on Sunday?"], "Sunday: 12:00–23:00", "I don't know"),
        (plain, &[four], "“Is the pool heated?”", "“The deposit is 50 €.” [1] Also"),
        (plain, &[story], "Sunday: 12:00–23:00", "deposit"),
        (plain, &["do you take cash", "is there parking"], "“Parking is free.”", "I don't know"),
        (faq, &["Is smoking allowed?"], "“No.”", "I don't know"),
        (faq, &["What is the wifi password?"], "sunshine22", "I don't know"),
        (rooms, &["How much is a suite in low season?"], "I don't know", "300"),
        (rooms, &["How much is the loft in low season?"], "I don't know", "500"),
        (rooms, &["what does the suite cost in high season"], "300 EUR", "70"),
        (prices, &["how much is a bowl"], "2.40", "20%"),
        (prices, &["what discount do members get on a bowl"], "20%", "2.40"),
        (hours, &["opening hours"], "Tuesday – Friday | 10:00–21:00", "“Monday: Closed”"),
        (hours, &["when are you open on monday"], "Monday: Closed", "I don't know"),
        (imprint, &["what is your phone number"], "", "0532"),
        (imprint, &["can i talk to a human please"], "info@boats.example", "0123"),
        (foot, &["what is your phone number?"], "01237 555018", "I don't know"),
        (foot, &["email?"], "hello@mudlark.example", "I don't know"),
        (foot, &["what's your address"], "14 Kiln Lane", "Opening"),
        (imprint, &["whats your email"], "info@boats.example", "I don't know"),
    ];
    let mut failed = Vec::new();
    for (text, asked, right, wrong) in rows {
        let reply = said("page.md", text, asked).await;
        if !reply.contains(right) || reply.contains(wrong) {
            failed.push(format!("{asked:?}: {reply}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
