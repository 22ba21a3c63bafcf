//! Reads what others send, with objects where the protocol has objects.
//! Invariant: serde's second form of a struct, an array of its fields' values, is refused wherever it stands, and so is
//! a name that stands twice in one object.
//!
//! A client that sends `["r1", "hello"]` for a message would depend on the order in which fields are declared
//! here. Derived code takes that form from every self-describing format, and no attribute switches it off; so
//! the deserializer that drives the derived code is wrapped, and hands it no sequence where it asks for a
//! struct. Of two values under one name a map would keep the last, and derived code complains only of the fields that it
//! knows: so the names of an object that is no struct are remembered while it is read. Nothing is parsed twice, and
//! nothing else is kept.

mod once;
mod plain;

use std::fmt::{self, Display as _};

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

use once::Once;
use plain::InPlainWords;
pub use plain::Plain;

/// Begins what some programs write as UTF-8; JSON does without.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads JSON that came from outside.
///
/// # Errors
/// What serde says, in plain words, that an object is an array, or that a name stands in it twice. Messages name fields
/// and places, never what was said.
pub fn read_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    let json = json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json);
    // Whatever has a tag is collected before its struct is known: there only the first byte tells the array.
    // All that comes from outside is an object.
    if json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Error::invalid_type(Unexpected::Seq, &"an object"));
    }
    let mut source = serde_json::Deserializer::from_slice(json);
    let read = T::deserialize(Objects(&mut source)).map_err(|Plain(error)| error)?;
    source.end()?;
    Ok(read)
}

/// A deserializer, or an access of one, that knows a struct by its field names only.
pub struct Objects<D>(pub D);

/// A visitor that is given only what the invariant allows. `STRUCT`: it builds a struct.
struct Guarded<V, const STRUCT: bool>(V);

macro_rules! ask {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Plain<D::Error>> {
            self.0.$method(Guarded::<V, false>(visitor)).map_err(Plain)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Objects<D> {
    type Error = Plain<D::Error>;

    ask! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_option deserialize_unit deserialize_seq deserialize_map
        deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        self.0.deserialize_unit_struct(name, Guarded::<V, false>(visitor)).map_err(Plain)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_newtype_struct(name, Guarded::<V, false>(visitor)).map_err(Plain)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Self::Error> {
        self.0.deserialize_tuple(len, Guarded::<V, false>(visitor)).map_err(Plain)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_tuple_struct(name, len, Guarded::<V, false>(visitor)).map_err(Plain)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_struct(name, fields, Guarded::<V, true>(visitor)).map_err(Plain)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_enum(name, variants, Guarded::<V, false>(visitor)).map_err(Plain)
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! give {
    ($($method:ident $kind:ty)*) => {
        $(fn $method<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.0.$method(value).map_err(|Plain(error)| error)
        })*
    };
}

impl<'de, V: Visitor<'de>, const STRUCT: bool> Visitor<'de> for Guarded<V, STRUCT> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = fmt::from_fn(|f| self.0.expecting(f));
        InPlainWords(said).fmt(f)
    }

    give! {
        visit_bool bool visit_i8 i8 visit_i16 i16 visit_i32 i32 visit_i64 i64 visit_i128 i128 visit_u8 u8
        visit_u16 u16 visit_u32 u32 visit_u64 u64 visit_u128 u128 visit_f32 f32 visit_f64 f64 visit_char char
        visit_str &str visit_borrowed_str &'de str visit_string String
        visit_bytes &[u8] visit_borrowed_bytes &'de [u8] visit_byte_buf Vec<u8>
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none().map_err(|Plain(error)| error)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Objects(deserializer)).map_err(|Plain(error)| error)
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit().map_err(|Plain(error)| error)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Objects(deserializer)).map_err(|Plain(error)| error)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        if STRUCT {
            return Err(Error::invalid_type(Unexpected::Seq, &self));
        }
        self.0.visit_seq(Objects(items)).map_err(|Plain(error)| error)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<V::Value, A::Error> {
        // Derived code sees to its own fields.
        let read = if STRUCT { self.0.visit_map(Objects(fields)) } else { self.0.visit_map(Once::new(fields)) };
        read.map_err(|Plain(error)| error)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(Objects(variant)).map_err(|Plain(error)| error)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Objects<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Objects(deserializer)).map_err(|Plain(error)| error)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Objects<A> {
    type Error = Plain<A::Error>;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Self::Error> {
        self.0.next_element_seed(Objects(seed)).map_err(Plain)
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Objects<A> {
    type Error = Plain<A::Error>;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Self::Error> {
        self.0.next_key_seed(Objects(seed)).map_err(Plain)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Self::Error> {
        self.0.next_value_seed(Objects(seed)).map_err(Plain)
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Objects<A> {
    type Error = Plain<A::Error>;
    type Variant = Objects<A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant), Self::Error> {
        let (name, variant) = self.0.variant_seed(Objects(seed)).map_err(Plain)?;
        Ok((name, Objects(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Objects<A> {
    type Error = Plain<A::Error>;

    fn unit_variant(self) -> Result<(), Self::Error> {
        self.0.unit_variant().map_err(Plain)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Self::Error> {
        self.0.newtype_variant_seed(Objects(seed)).map_err(Plain)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Self::Error> {
        self.0.tuple_variant(len, Guarded::<V, false>(visitor)).map_err(Plain)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.struct_variant(fields, Guarded::<V, true>(visitor)).map_err(Plain)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::wire::{
        AnswerIn, ClientFrame, DocumentIn, HumanIn, MessageIn, OpenIn, PlanChoice, PlanPut, SiteIn, TenantIn,
        TenantPut, VerdictIn, VisitorIn, WidgetIn,
    };
    use crate::{ContactChange, ConversationId, Plan, Profile};

    /// Every way to write one of the objects in `value` as the array of what it holds.
    fn as_arrays(value: &Value) -> Vec<Value> {
        let mut all = Vec::new();
        if let Value::Object(fields) = value {
            all.push(Value::Array(fields.values().cloned().collect()));
            all.push(json!([]));
            for (name, inner) in fields {
                for array in as_arrays(inner) {
                    let mut changed = value.clone();
                    changed[name] = array;
                    all.push(changed);
                }
            }
        }
        all
    }

    fn check<T: DeserializeOwned>(example: &Value) -> usize {
        assert!(read_json::<T>(example.to_string().as_bytes()).is_ok(), "{example}");
        let arrays = as_arrays(example);
        for array in &arrays {
            for text in [array.to_string(), format!(" \n\t{array}")] {
                let error = read_json::<T>(text.as_bytes()).err().unwrap_or_else(|| panic!("{text} was read"));
                assert!(error.is_data() && error.to_string().contains("invalid type: sequence"), "{text}: {error}");
            }
        }
        arrays.len()
    }

    #[test]
    fn no_object_may_be_sent_as_an_array() {
        let id = ConversationId::generate();
        let profile = serde_json::to_value(Profile::default()).unwrap();
        let plan = serde_json::to_value(Plan::default()).unwrap();
        let checked = [
            check::<OpenIn>(&json!({"contact": "Ana", "locale": "es"})),
            check::<MessageIn>(&json!({"ref": "r1", "text": "hello"})),
            check::<HumanIn>(&json!({"action": "take", "agent": "Bo"})),
            check::<VisitorIn>(&json!({"origin": "https://shop.example", "contact": "Ana"})),
            check::<WidgetIn>(&json!({"visitor": "x"})),
            check::<TenantPut>(&json!({"version": 1, "profile": profile})),
            check::<TenantIn>(&json!({"name": "acme", "plan": "pro"})),
            check::<PlanPut>(&json!({"version": 0, "plan": plan})),
            check::<PlanChoice>(&json!({"plan": "pro"})),
            check::<DocumentIn>(&json!({"source": "a.md", "text": "# A"})),
            check::<SiteIn>(&json!({"url": "https://shop.example/"})),
            check::<AnswerIn>(&json!({"questions": ["When?"], "answer": "Now."})),
            check::<VerdictIn>(&json!({"verdict": "wrong"})),
            check::<ClientFrame>(&json!({"type": "ping", "ref": "1"})),
            check::<ClientFrame>(&json!({"type": "say", "ref": "1", "conversation": id, "text": "hi"})),
        ];
        // Each at its own top, and the parts of profile and plan.
        assert_eq!(checked.iter().sum::<usize>(), 2 * (checked.len() + 1 + 5 + 1 + 2));
    }

    #[test]
    fn lists_tuples_variants_and_free_values_stay_what_they_are() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Shape {
            Point,
            Circle { radius: u8 },
            Pair(u8, u8),
            Named(Inner),
        }
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Inner {
            list: Vec<Shape>,
            pair: (u8, Option<u8>),
            free: Value,
        }
        let good = r#"{"list":["point",{"circle":{"radius":1}},{"pair":[1,2]}],"pair":[1,null],"free":[{"a":[1]}]}"#;
        let plain: Inner = serde_json::from_str(good).unwrap();
        assert_eq!(read_json::<Inner>(good.as_bytes()).unwrap(), plain);
        for bad in [
            r#"{"list":[{"circle":[1]}],"pair":[1,2],"free":0}"#,
            r#"{"list":[{"named":[[],[1,2],0]}],"pair":[1,2],"free":0}"#,
        ] {
            assert!(serde_json::from_str::<Inner>(bad).is_ok(), "serde alone takes {bad}");
            assert!(read_json::<Inner>(bad.as_bytes()).is_err(), "{bad}");
        }
        for (json, is_data) in [("{} x", false), ("[", true), ("{", false), ("", false), ("7", true)] {
            let error = read_json::<OpenIn>(json.as_bytes()).unwrap_err();
            assert_eq!(error.is_data(), is_data, "{json}: {error}");
        }
    }

    #[test]
    fn a_name_stands_once_in_an_object() {
        #[derive(serde::Deserialize, PartialEq, Eq, PartialOrd, Ord)]
        #[serde(rename_all = "snake_case")]
        enum Side {
            Left,
            Right,
        }
        #[derive(serde::Deserialize, PartialEq, Eq, PartialOrd, Ord)]
        struct Own(Option<String>);
        type Sides = BTreeMap<Side, u8>;
        type Owns = BTreeMap<Own, Vec<BTreeMap<String, Value>>>;

        fn read<T: DeserializeOwned>(json: &str) -> Result<(), String> {
            read_json::<T>(json.as_bytes()).map(drop).map_err(|error| {
                assert!(error.is_data() && error.line() > 0, "{error}");
                error.to_string()
            })
        }
        let consents = r#"{"version":1,"consents":{"news":{"given":false},"news":{"given":true}}}"#;
        for (read, twice) in [
            (read::<ContactChange>(consents), "`news`"),
            (read::<ContactChange>(r#"{"version":1,"attributes":{"p":"x","q":"y","p":null}}"#), "`p`"),
            (read::<ContactChange>(r#"{"version":1,"attributes":{"p":"x","\u0070":"y"}}"#), "`p`"),
            (read::<ContactChange>(r#"{"version":1,"version":2}"#), "`version`"),
            (read::<ClientFrame>(r#"{"type":"ping","ref":"1","ref":"2"}"#), "`ref`"),
            (read::<ClientFrame>(r#"{"type":"ping","ref":"1","type":"say"}"#), "`type`"),
            (read::<Sides>(r#"{"left":1,"right":2,"left":1}"#), "`left`"),
            (read::<Owns>(r#"{"a":[],"a":[]}"#), "`a`"),
            (read::<Owns>(r#"{"a":[{"b":{"c":1,"c":1}}]}"#), "`c`"),
            (read::<Value>(r#"{"":0,"":0}"#), "``"),
        ] {
            assert!(read.as_ref().is_err_and(|error| error.contains(twice)), "{twice}: {read:?}");
        }
        let long = "\u{e9}".repeat(1_000);
        let error = read::<Value>(&format!(r#"{{"{long}":0,"{long}":0}}"#)).unwrap_err();
        assert!(error.chars().count() < 150, "{error}");
        // In two objects, or in two spellings, they are two.
        assert_eq!(read::<Sides>(r#"{"left":1,"right":2}"#), Ok(()));
        assert_eq!(read::<Owns>(r#"{"a":[{"b":{"c":1}},{"b":{"c":1}}],"A":[]}"#), Ok(()));
        assert!(read::<Sides>(r#"{"middle":1}"#).unwrap_err().contains("unknown variant `middle`"));
    }

    #[test]
    fn a_mark_of_byte_order_is_passed_over_once() {
        for (json, read) in [
            ("\u{feff}{\"ref\":\"r1\",\"text\":\"\u{feff}hello\"}", Some("\u{feff}hello")),
            ("\u{feff}\u{feff}{\"ref\":\"r1\",\"text\":\"hello\"}", None),
            ("{\u{feff}\"ref\":\"r1\",\"text\":\"hello\"}", None),
        ] {
            let message = read_json::<MessageIn>(json.as_bytes()).ok();
            assert_eq!(message.as_ref().map(|message| message.text.as_str()), read, "{json:?}");
        }
        assert!(read_json::<MessageIn>("\u{feff}[\"r1\",\"hello\"]".as_bytes()).unwrap_err().is_data());
    }
}
