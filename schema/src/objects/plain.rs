//! What is wrong with what others send, in the words of the protocol.
//! Invariant: no message of a deserializer names a type of ours, whichever value stands in whichever place.

use std::fmt::{self, Display, Formatter};

use serde::de::{Error, Expected, Unexpected};

/// The words that serde's derived code has for our types, and for what is sent in their place.
const OBJECTS: [&str; 4] = ["struct ", "internally tagged enum ", "adjacently tagged enum ", "a map"];
const UNTAGGED: &str = "data did not match any variant of untagged enum ";

/// An error of a deserializer that tells what it expected in plain words.
#[derive(Debug)]
pub struct Plain<E>(pub E);

/// What is expected, in plain words.
pub(crate) struct InPlainWords<T>(pub(crate) T);

impl<T: Display> Display for InPlainWords<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let said = self.0.to_string();
        if OBJECTS.iter().any(|own| said.starts_with(own)) {
            return f.write_str("an object");
        }
        if said.starts_with("a nonzero ") {
            return f.write_str("a whole number above 0");
        }
        let most = match said.as_str() {
            "u8" => u64::from(u8::MAX),
            "u16" => u64::from(u16::MAX),
            "u32" => u64::from(u32::MAX),
            "u64" | "u128" | "usize" => return f.write_str("a whole number from 0 on"),
            "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => return f.write_str("a whole number"),
            "f32" | "f64" => return f.write_str("a number"),
            "a sequence" => return f.write_str("a list"),
            "variant identifier" | "field identifier" => return f.write_str("a name"),
            _ if said.starts_with("tuple struct ") => return f.write_str("a list"),
            _ if said.starts_with("enum ") => return f.write_str("one of the names that are known here"),
            _ if said.starts_with("unit struct ") => return f.write_str("nothing"),
            _ => return f.write_str(&said),
        };
        write!(f, "a whole number from 0 to {most}")
    }
}

impl<E: Display> Display for Plain<E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: std::error::Error> std::error::Error for Plain<E> {}

impl<E: Error> Error for Plain<E> {
    fn custom<T: Display>(message: T) -> Self {
        let message = message.to_string();
        Self(if message.starts_with(UNTAGGED) {
            E::custom("this has none of the forms that are taken here")
        } else {
            E::custom(message)
        })
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(E::invalid_type(unexpected, &InPlainWords(expected).to_string().as_str()))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(E::invalid_value(unexpected, &InPlainWords(expected).to_string().as_str()))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self(E::invalid_length(length, &InPlainWords(expected).to_string().as_str()))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self(E::unknown_variant(variant, expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self(E::unknown_field(field, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self(E::missing_field(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self(E::duplicate_field(field))
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::super::read_json;
    use crate::wire::{
        AgentIn, AnswerIn, ClientFrame, DocumentIn, HumanIn, MergeIn, MessageIn, OpenIn, PlanChoice, PlanPut, SiteIn,
        SplitIn, TenantIn, TenantPut, VerdictIn, VisitorIn, WidgetIn,
    };
    use crate::{ContactChange, ContactId, ConversationId, Plan, Profile};

    /// What may stand where something else belongs.
    fn strangers() -> [Value; 11] {
        let [list, object] = [json!(["x"]), json!({"x": 1})];
        let [none, empty] = [json!([]), json!({})];
        [Value::Null, json!(true), json!(7), json!(-1), json!(1.5), json!(1e30), json!("x"), none, list, empty, object]
    }

    /// A value with each of its parts, and itself, in turn replaced by something else.
    fn altered(value: &Value) -> Vec<Value> {
        let mut all = strangers().to_vec();
        let names: Vec<Value> = match value {
            Value::Object(fields) => fields.keys().map(|name| json!(name)).collect(),
            Value::Array(items) => (0..items.len()).map(|at| json!(at)).collect(),
            _ => Vec::new(),
        };
        for name in names {
            let part = |value: &mut Value, with: Value| match &name {
                Value::String(name) => value[name.as_str()] = with,
                at => value[at.as_u64().and_then(|at| usize::try_from(at).ok()).unwrap()] = with,
            };
            let inner = name.as_str().map_or_else(|| &value[0], |name| &value[name]);
            for with in altered(inner) {
                let mut changed = value.clone();
                part(&mut changed, with);
                all.push(changed);
            }
        }
        all
    }

    /// A word of ours: of Rust's numbers, of a type, of a path, of what serde calls our types, of a library.
    fn is_ours(word: &str) -> bool {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let number = bare
            .strip_prefix(['u', 'i', 'f'])
            .is_some_and(|bits| ["8", "16", "32", "64", "128", "size"].contains(&bits));
        let camel = bare.as_bytes().windows(2).any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
        number || camel || word.contains("::") || ["struct", "enum", "newtype", "variant", "parse"].contains(&bare)
    }

    /// How many ways to be wrong were refused.
    fn check<T: DeserializeOwned>(example: &Value) -> usize {
        assert!(read_json::<T>(example.to_string().as_bytes()).is_ok(), "{example}");
        let mut refused = 0;
        for wrong in altered(example) {
            let Err(error) = read_json::<T>(wrong.to_string().as_bytes()) else { continue };
            refused += 1;
            let told = error.to_string();
            // "unknown variant" names what was sent, and what is known: both are names of the protocol.
            let told = told.replace("unknown variant", "");
            assert!(!told.split([' ', '`']).any(is_ours), "{wrong}: {told}");
        }
        refused
    }

    #[test]
    fn no_refusal_names_a_type_of_ours() {
        let [id, contact] = [json!(ConversationId::generate()), json!(ContactId::generate())];
        let profile = serde_json::to_value(Profile::default()).unwrap();
        let plan = serde_json::to_value(Plan::default()).unwrap();
        let consent = json!({"given": true, "how": "form", "at": "2026-01-31T12:00:00Z"});
        let change = json!({"version": 1, "name": "Ana", "language": "es", "attributes": {"size": "m"},
            "states": {"blocked": true}, "consents": {"news": consent}});
        let checked = [
            check::<AgentIn>(&json!({"agent": "Zoe", "ttl_seconds": 60})),
            check::<AnswerIn>(&json!({"questions": ["When?"], "answer": "Now."})),
            check::<ContactChange>(&change),
            check::<DocumentIn>(&json!({"source": "a.md", "text": "# A"})),
            check::<HumanIn>(&json!({"action": "take", "agent": "Bo"})),
            check::<MergeIn>(&json!({"other": contact})),
            check::<MessageIn>(&json!({"ref": "r1", "text": "hello"})),
            check::<OpenIn>(&json!({"contact": "Ana", "locale": "es"})),
            check::<PlanChoice>(&json!({"plan": "pro"})),
            check::<PlanPut>(&json!({"version": 0, "plan": plan})),
            check::<SiteIn>(&json!({"url": "https://shop.example/", "pages_max": 5})),
            check::<SplitIn>(&json!({"contact": contact})),
            check::<TenantIn>(&json!({"name": "acme", "plan": "pro"})),
            check::<TenantPut>(&json!({"version": 1, "profile": profile})),
            check::<VerdictIn>(&json!({"verdict": "wrong"})),
            check::<VisitorIn>(&json!({"origin": "https://shop.example", "contact": "Ana"})),
            check::<WidgetIn>(&json!({"visitor": "x"})),
            check::<ClientFrame>(&json!({"type": "join", "ref": "1", "conversation": id, "after": 3, "locale": "es"})),
            check::<ClientFrame>(&json!({"type": "say", "ref": "1", "conversation": id, "text": "hi", "agent": "Bo"})),
            check::<ClientFrame>(&json!({"type": "cancel", "ref": "1", "conversation": id, "turn": 1})),
            check::<ClientFrame>(&json!({"type": "typing", "conversation": id, "on": true})),
            check::<ClientFrame>(&json!({"type": "read", "conversation": id, "seq": 1})),
        ];
        assert!(checked.iter().all(|refused| *refused > 5), "{checked:?}");
    }

    #[test]
    fn what_is_expected_is_said_in_plain_words() {
        let told = |json: &str| read_json::<ContactChange>(json.as_bytes()).unwrap_err().to_string();
        for (json, words) in [
            (r#"{"version": 1, "consents": {"news": "yes"}}"#, r#"invalid type: string "yes", expected an object"#),
            (r#"{"version": "1"}"#, "expected a whole number from 0 on"),
            (
                r#"{"version": 1, "consents": {"news": {"given": true, "at": "tomorrow"}}}"#,
                "not a moment as RFC 3339 writes it, like 2026-01-31T12:00:00Z",
            ),
        ] {
            assert!(told(json).contains(words), "{json}: {}", told(json));
        }
        let frame = |json: &str| read_json::<ClientFrame>(json.as_bytes()).unwrap_err().to_string();
        assert!(frame("7").contains("expected an object"), "{}", frame("7"));
    }
}
