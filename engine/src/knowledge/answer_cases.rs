//! Questions that products of this kind are reported to fail, each with what is right.

use std::sync::Arc;

use schema::{TenantId, Timestamp};

use super::super::{Knowledge, Query, Weights};
use super::*;
use crate::store::memory::MemoryStore;

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
