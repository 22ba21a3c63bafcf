//! Objects that are no structs, whose names are remembered while they are read.
//! Invariant: no name stands in one object twice; a map would keep the last value in silence.

use std::collections::HashSet;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::{Objects, Plain};

/// As much of a name is told as tells it from others.
const NAME_CHARS_TOLD: usize = 64;

/// The fields of an object that is no struct.
pub(super) struct Once<A> {
    fields: A,
    met: HashSet<Box<str>>,
}

impl<A> Once<A> {
    pub(super) fn new(fields: A) -> Self {
        Self { fields, met: HashSet::new() }
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Once<A> {
    type Error = Plain<A::Error>;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Self::Error> {
        self.fields.next_key_seed(Unmet { seed, met: &mut self.met }).map_err(Plain)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Self::Error> {
        self.fields.next_value_seed(Objects(seed)).map_err(Plain)
    }

    fn size_hint(&self) -> Option<usize> {
        self.fields.size_hint()
    }
}

/// Reads a name that is none of those met. What is wrong with it is told from inside, where the place is known.
struct Unmet<'a, S> {
    seed: S,
    met: &'a mut HashSet<Box<str>>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Unmet<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let name = Box::<str>::deserialize(deserializer)?;
        if self.met.contains(&name) {
            let told: String = name.chars().take(NAME_CHARS_TOLD).collect();
            return Err(Error::custom(format_args!("`{}` stands twice in one object", told.escape_debug())));
        }
        let read = self.seed.deserialize(Name { name: &name, error: PhantomData })?;
        self.met.insert(name);
        Ok(read)
    }
}

/// A name that was read, for whatever the map has as its key.
struct Name<'a, E> {
    name: &'a str,
    error: PhantomData<E>,
}

impl<'de, E: Error> Deserializer<'de> for Name<'_, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_str(self.name)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        self.name.into_deserializer().deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}
