//! Fields as they come: whatever a server puts where a count or a word belongs, the reply goes on.
//! Invariant: only text is strict, because a word that vanishes makes a sentence say something else.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::ModelError;

/// A count: a number, also with a fraction or as text; anything else is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count(pub(super) Option<u64>);

/// A word: text, or a number or truth value as text; anything else is none.
#[derive(Debug, Default)]
pub(super) struct Word<'a>(Option<Cow<'a, str>>);

impl Word<'_> {
    /// The word, if there is one and it is not empty.
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref().filter(|word| !word.is_empty())
    }
}

/// An object; anything else is none.
#[derive(Debug)]
pub(super) struct Maybe<T>(pub(super) Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// A list of objects; one object is a list of one, anything else is empty, and so is a missing one.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// What a field of text holds: text as it is, numbers and truth values as they were written (`19.50` is
/// not 19.5), nothing for null or when it is missing.
///
/// # Errors
/// When it is a list or an object.
pub(super) fn text(field: Option<&RawValue>) -> Result<Option<String>, ModelError> {
    let Some(raw) = field.map(RawValue::get) else { return Ok(None) };
    let text = match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(raw).map_err(|error| ModelError::json(&error))?,
        Some(b'[' | b'{') => return Err(ModelError::protocol("a list or an object stands where text belongs")),
        Some(b'n') | None => return Ok(None),
        Some(_) => raw.to_owned(),
    };
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Reads an object.
///
/// # Errors
/// When it is none, or no JSON.
pub(super) fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, ModelError> {
    let object: Maybe<T> = serde_json::from_str(json).map_err(|error| ModelError::json(&error))?;
    object.0.ok_or_else(|| ModelError::protocol("something else stands where an object belongs"))
}

/// Whether a field says anything: not null, false, zero or empty.
pub(super) fn says(field: Option<&RawValue>) -> bool {
    field.is_some_and(|raw| !matches!(raw.get(), "null" | "false" | "0" | "\"\"" | "{}" | "[]"))
}

/// Reads a side field; one that cannot be read is as if it had not come.
pub(super) fn side<'a, T: Deserialize<'a> + Default>(field: Option<&'a RawValue>) -> T {
    field.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

/// What is taken for nothing, of the kinds that the visitor does not name itself.
macro_rules! nothing {
    ($($kind:ident),*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        $(nothing!(@ $kind);)*
    };
    (@ scalars) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
    (@ list) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
    (@ object) => {
        fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
            while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Count;
            nothing!(list, object);

            fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
                Ok(Count(None))
            }
            fn visit_u64<E>(self, count: u64) -> Result<Count, E> {
                Ok(Count(Some(count)))
            }
            fn visit_i64<E>(self, count: i64) -> Result<Count, E> {
                Ok(Count(u64::try_from(count).ok()))
            }
            fn visit_f64<E>(self, count: f64) -> Result<Count, E> {
                // `as` keeps within what fits.
                Ok(Count((count.is_finite() && count >= 0.0).then(|| count.round() as u64)))
            }
            fn visit_str<E: Error>(self, count: &str) -> Result<Count, E> {
                match count.trim().parse::<u64>() {
                    Ok(count) => self.visit_u64(count),
                    Err(_) => count.trim().parse::<f64>().map_or(Ok(Count(None)), |count| self.visit_f64(count)),
                }
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Any<'a> {
            type Value = Word<'a>;
            nothing!(list, object);

            fn visit_bool<E>(self, word: bool) -> Result<Word<'a>, E> {
                Ok(Word(word.then(|| "true".into())))
            }
            fn visit_u64<E>(self, word: u64) -> Result<Word<'a>, E> {
                Ok(Word(Some(word.to_string().into())))
            }
            fn visit_i64<E>(self, word: i64) -> Result<Word<'a>, E> {
                Ok(Word(Some(word.to_string().into())))
            }
            fn visit_f64<E>(self, word: f64) -> Result<Word<'a>, E> {
                Ok(Word(Some(word.to_string().into())))
            }
            fn visit_str<E>(self, word: &str) -> Result<Word<'a>, E> {
                Ok(Word(Some(word.to_owned().into())))
            }
            fn visit_borrowed_str<E>(self, word: &'de str) -> Result<Word<'a>, E> {
                Ok(Word(Some(word.into())))
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = Maybe<T>;
            nothing!(scalars, list);

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Maybe<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(object)).map(|object| Maybe(Some(object)))
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = List<T>;
            nothing!(scalars);

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(Maybe(item)) = list.next_element()? {
                    items.extend(item);
                }
                Ok(List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<List<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(object)).map(|object| List(vec![object]))
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: [&str; 12] =
        ["null", "true", "7", "7.4", "-7", "1e300", "\"7\"", "\"7.6\"", "\"x\"", "\"\"", "[1]", "{\"a\":1}"];

    #[test]
    fn counts_and_words_of_any_kind() {
        let counts: Vec<Option<u64>> = ODD.iter().map(|odd| serde_json::from_str::<Count>(odd).unwrap().0).collect();
        let (seven, eight) = (Some(7), Some(8));
        let most = Some(u64::MAX);
        assert_eq!(
            counts,
            [None, None, seven, seven, None, most, seven, eight, None, None, None, None],
            "as many as there are"
        );
        let words: Vec<Option<String>> =
            ODD.iter().map(|odd| serde_json::from_str::<Word<'_>>(odd).unwrap().get().map(str::to_owned)).collect();
        for (odd, word) in ODD.iter().zip(&words) {
            let is_word = !matches!(*odd, "null" | "\"\"" | "[1]" | "{\"a\":1}");
            assert_eq!(word.is_some(), is_word, "{odd}");
        }
        for odd in ODD {
            assert!(serde_json::from_str::<Maybe<std::collections::HashMap<String, Count>>>(odd).is_ok(), "{odd}");
            assert!(serde_json::from_str::<List<std::collections::HashMap<String, Count>>>(odd).is_ok(), "{odd}");
        }
    }

    #[test]
    fn scalars_are_text_as_they_were_written() {
        for (json, expected) in [
            ("\"a\\n\"", Ok(Some("a\n"))),
            ("\"\"", Ok(None)),
            ("null", Ok(None)),
            ("19", Ok(Some("19"))),
            ("19.50", Ok(Some("19.50"))),
            ("-0.10", Ok(Some("-0.10"))),
            ("1e999", Ok(Some("1e999"))),
            ("true", Ok(Some("true"))),
            ("false", Ok(Some("false"))),
            ("[1]", Err(())),
            ("{}", Err(())),
        ] {
            let raw: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(text(Some(raw)).map_err(drop), expected.map(|text| text.map(str::to_owned)), "{json}");
        }
        assert_eq!(text(None).unwrap(), None);
    }
}
