//! What is sent to a cluster is what both products know, and conditions are sent as such.

use super::session::Class;
use super::statements::TEXTS;
use super::tables::{KEY_STEPS, STEPS};

/// Words of one product, or of neither in all versions that are used. In upper case, with one space between them.
const FOREIGN: &[&str] = &[
    "ACCORD",
    "ALLOW FILTERING",
    "BYPASS CACHE",
    "CACHING",
    "CDC",
    "COMPRESSION",
    "COUNTER",
    "CREATE AGGREGATE",
    "CREATE CUSTOM INDEX",
    "CREATE FUNCTION",
    "CREATE INDEX",
    "CREATE TRIGGER",
    "CREATE TYPE",
    "INCREMENTALCOMPACTIONSTRATEGY",
    "MASKED",
    "MATERIALIZED VIEW",
    "MEMTABLE",
    "PER_PARTITION_RATE_LIMIT",
    "PRUNE",
    "SASI",
    "SERVICE_LEVEL",
    "SPECULATIVE_RETRY",
    "STORAGEATTACHEDINDEX",
    "SYNCHRONOUS_UPDATES",
    "TABLETS",
    "TOMBSTONE_GC",
    "TRIGGER",
    "UNIFIEDCOMPACTIONSTRATEGY",
    "USING TIMEOUT",
    "AND TIMEOUT",
    "BEGIN TRANSACTION",
];

/// The statements of these files stand in their strings.
const SOURCES: &[(&str, &str)] =
    &[("connect.rs", include_str!("connect.rs")), ("migrate.rs", include_str!("migrate.rs"))];

fn all() -> Vec<String> {
    let steps = STEPS.iter().chain(KEY_STEPS).copied().flatten().copied();
    let mut texts: Vec<String> = TEXTS.iter().map(|(_, text)| *text).chain(steps).map(plain).collect();
    texts.extend(SOURCES.iter().flat_map(|(_, source)| strings(source)).filter(|text| is_statement(text)));
    texts
}

/// In upper case, with one space between words.
fn plain(text: &str) -> String {
    text.to_uppercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_statement(text: &str) -> bool {
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "ALTER ", "DROP ", "TRUNCATE ", "BEGIN "]
        .iter()
        .any(|word| text.starts_with(word))
}

/// The strings of a source, as good as it gets without its grammar: these files have no quotes in other places.
fn strings(source: &str) -> Vec<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    code.split('"').skip(1).step_by(2).map(|text| plain(&text.replace('\\', " "))).collect()
}

fn has_condition(text: &str) -> bool {
    let text = text.replace(" IF NOT EXISTS", " IF ").replace(" IF EXISTS", " IF ");
    text.contains(" IF ")
}

#[test]
fn no_statement_has_words_of_one_product() {
    let texts = all();
    assert!(texts.len() > TEXTS.len() + 20, "{}", texts.len());
    for text in texts {
        assert!(is_statement(&text), "{text}");
        let found = FOREIGN.iter().find(|word| has_word(&text, word));
        assert_eq!(found, None, "{text}");
        let increments = text.split(',').any(|part| part.contains(" + ") || part.contains(" - "));
        assert!(!increments, "what is written does not depend on what is there: {text}");
    }
}

/// Whether the words stand in it by themselves.
fn has_word(text: &str, word: &str) -> bool {
    let is_inner = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text[..at].chars().last(), text[at + word.len()..].chars().next());
        !before.is_some_and(is_inner) && !after.is_some_and(is_inner)
    })
}

#[test]
fn conditions_are_sent_as_such_and_have_no_time_of_their_own() {
    for (class, text) in TEXTS {
        let text = plain(text);
        // A statement beside a conditional one in its batch has no condition of its own.
        let is_beside = text.starts_with("INSERT INTO LOG ");
        assert_eq!(has_condition(&text) || is_beside, *class == Class::Conditional, "{text}");
        assert_eq!(text.starts_with("SELECT "), matches!(class, Class::Read | Class::Serial), "{text}");
    }
    for text in all().into_iter().filter(|text| has_condition(text)) {
        assert!(!text.contains("TIMESTAMP ?") && !text.contains("USING TIMESTAMP"), "{text}");
    }
}

/// Cells that are written under conditions are written under no other: their clocks differ.
#[test]
fn what_is_decided_is_never_written_plainly() {
    for table in ["CONVERSATION", "RECORD", "RECORD_KEY", "PROJECTION"] {
        let writes = TEXTS.iter().filter(|(_, text)| {
            let text = plain(text);
            ["INSERT INTO ", "UPDATE ", "DELETE FROM "].iter().any(|word| text.starts_with(&format!("{word}{table} ")))
        });
        let writes: Vec<_> = writes.collect();
        assert!(!writes.is_empty(), "{table}");
        assert!(writes.iter().all(|(class, _)| *class == Class::Conditional), "{table}: {writes:?}");
    }
}

#[test]
fn foreign_words_and_conditions_are_recognised() {
    for (text, foreign, condition) in [
        ("update a using timeout 5s set b = ?", true, false),
        ("create table a (b counter)", true, false),
        ("create table a (b_counter int)", false, false),
        ("insert into a (b) values (?)\n   if  not exists", false, true),
        ("update a set b = ? where c = ? if b = null", false, true),
        ("select b from a where c = ? allow\n filtering", true, false),
    ] {
        let text = plain(text);
        assert_eq!(FOREIGN.iter().any(|word| has_word(&text, word)), foreign, "{text}");
        assert_eq!(has_condition(&text), condition, "{text}");
    }
    assert_eq!(strings("// \"no\"\nf(\"select a\", \"b \\\n c\")"), ["SELECT A", "B C"]);
}
