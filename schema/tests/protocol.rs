//! The protocol's page and its examples are pinned to the types that are sent.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use schema::wire::{ClientFrame, Close, ServerFrame, SignalKind};
use schema::{End, Event, Fact};
use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[test]
fn the_page_was_read_again_after_the_wire_changed() {
    let stamp = wire_stamp();
    assert_eq!(
        page().lines().next(),
        Some(format!("<!-- wire: {stamp} -->").as_str()),
        "the wire changed: reread PROTOCOL.md, then stamp it {stamp}"
    );
}

#[test]
fn every_example_reads_and_is_written_back_the_same() {
    for (name, example) in golden() {
        let written = match name.split_once('-') {
            Some(("client", _)) => through::<ClientFrame>(&name, &example),
            Some(("server", _)) => through::<ServerFrame>(&name, &example),
            Some(("event", _)) => through::<Event>(&name, &example),
            _ => panic!("{name}: begin with `client-`, `server-` or `event-`"),
        };
        assert_eq!(written, example, "{name}");
    }
}

#[test]
fn every_variant_has_an_example() {
    for (side, tag, variants) in [
        ("client", "type", variants::<ClientFrame>("type")),
        ("server", "type", variants::<ServerFrame>("type")),
        ("event", "type", variants::<Fact>("type")),
        ("server", "signal", variants::<SignalKind>("signal")),
    ] {
        let shown: BTreeSet<String> = golden()
            .into_iter()
            .filter(|(name, _)| name.starts_with(side))
            .filter_map(|(_, example)| Some(example.get(tag)?.as_str()?.to_owned()))
            .collect();
        assert_eq!(shown, variants, "schema/tests/golden/{side}-*.json");
    }
}

#[test]
fn an_example_is_named_after_what_it_shows() {
    for (name, example) in golden() {
        let shows = example["type"].as_str().unwrap_or_default();
        let (_, rest) = name.split_once('-').unwrap();
        assert!(rest == shows || rest.starts_with(&format!("{shows}-")), "{name} shows `{shows}`");
    }
}

#[test]
fn the_page_shows_every_example() {
    let shown = page_json();
    for (name, example) in golden() {
        assert!(shown.contains(&example), "PROTOCOL.md does not show {name}.json as it is: {example}");
    }
}

#[test]
fn the_page_has_every_close_code_and_end() {
    let page = page();
    let codes: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("| ")?.get(..4)?.parse::<u16>().ok()).collect();
    assert_eq!(codes, Close::ALL.iter().map(|close| close.code).collect::<Vec<_>>());
    let ends = [End::Completed, End::Length, End::Filtered, End::Cancelled, End::Incomplete, End::Failed];
    assert_eq!(variants_of_enum::<End>(), ends.iter().map(|end| end.name().to_owned()).collect());
    for end in ends {
        assert!(page.contains(&format!("| `{}` |", end.name())), "{}", end.name());
    }
}

/// FNV-1a over the files that say what goes over the wire, with their names, in order.
fn wire_stamp() -> String {
    let src = root().join("src");
    let mut files: Vec<PathBuf> = fs::read_dir(src.join("wire")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.extend(["event.rs", "position.rs"].map(|name| src.join(name)));
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |text: &str| {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for file in files {
        eat(file.file_name().unwrap().to_str().unwrap());
        // A checkout may have changed the line endings.
        eat(&fs::read_to_string(&file).unwrap().replace("\r\n", "\n"));
    }
    format!("{hash:016x}")
}

fn through<T: DeserializeOwned + Serialize>(name: &str, example: &Value) -> Value {
    let typed: T = serde_json::from_value(example.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::to_value(typed).unwrap()
}

/// What the tag of an enum may say, by its schema.
fn variants<T: JsonSchema>(tag: &str) -> BTreeSet<String> {
    let schema = schema_for!(T).to_value();
    let arms = schema["oneOf"].as_array().unwrap();
    arms.iter().map(|arm| arm["properties"][tag]["const"].as_str().unwrap().to_owned()).collect()
}

/// The names of an enum without fields, by its schema.
fn variants_of_enum<T: JsonSchema>() -> BTreeSet<String> {
    let schema = schema_for!(T).to_value();
    let arms = schema["oneOf"].as_array().unwrap();
    arms.iter().map(|arm| arm["const"].as_str().unwrap().to_owned()).collect()
}

fn golden() -> Vec<(String, Value)> {
    let mut examples: Vec<_> = fs::read_dir(root().join("tests/golden"))
        .unwrap()
        .map(|entry| {
            let file = entry.unwrap().path();
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let example = serde_json::from_str(&fs::read_to_string(&file).unwrap());
            (name.clone(), example.unwrap_or_else(|error| panic!("{name}: {error}")))
        })
        .collect();
    examples.sort_by(|(one, _), (other, _)| one.cmp(other));
    examples
}

/// Everything that stands in the page's blocks of JSON.
fn page_json() -> Vec<Value> {
    let page = page();
    let blocks = page.split("```json\n").skip(1).filter_map(|rest| rest.split_once("\n```"));
    blocks
        .flat_map(|(block, _)| {
            serde_json::Deserializer::from_str(block).into_iter::<Value>().map(Result::unwrap).collect::<Vec<_>>()
        })
        .collect()
}

fn page() -> String {
    fs::read_to_string(root().join("PROTOCOL.md")).unwrap().replace("\r\n", "\n")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
