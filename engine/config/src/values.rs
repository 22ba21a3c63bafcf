//! How single values are written: durations, secrets, prices, lists of models.

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use schema::limits::CONTEXT_TOKENS_MIN;
use schema::{Origin, OutputLimit, Price};
use secrecy::SecretString;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Unexpected, Visitor};

use super::model_name::ModelName;
use super::place::host_and_port;
use super::redis_url::RedisUrl;
use super::store_url::{StoreTls, StoreUrl};

/// `"1500ms"`, `"20s"`, `"15m"`, `"2h"`; more than zero, at most a day.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    read(deserializer, "a duration such as \"1500ms\", \"20s\" or \"15m\", above zero and at most a day", |text| {
        let (number, unit) = number_and_unit(text)?;
        let millis = number.checked_mul(match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        })?;
        (1..=24 * 3_600_000).contains(&millis).then(|| Duration::from_millis(millis))
    })
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    Some((number.parse().ok()?, unit.trim_start()))
}

/// An address and a port.
pub(super) fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    read(deserializer, "an address and a port such as \"127.0.0.1:8080\"", |text| text.parse().ok())
}

/// The same; an empty text is none.
pub(super) fn listen_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    read(deserializer, "an address and a port such as \"127.0.0.1:9100\", or nothing", |text| match text {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    })
}

/// Scheme, name and port of an address, with or without a slash at its end; an empty text is none.
pub(super) fn origin<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Origin>, D::Error> {
    read(
        deserializer,
        "an address without a path such as \"https://chat.example.org\", or nothing",
        |text| match text {
            "" => Some(None),
            text => text.strip_suffix('/').unwrap_or(text).parse().ok().map(Some),
        },
    )
}

/// A path that is not empty.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    read(deserializer, "the path of a directory", |text| (!text.is_empty()).then(|| text.into()))
}

/// A path; an empty one is none.
pub(super) fn folder_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    read(deserializer, "the path of a directory, or nothing", |text| Some((!text.is_empty()).then(|| text.into())))
}

/// The path of a file; an empty one is none.
pub(super) fn file_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    read(deserializer, "the path of a file, or nothing", |text| Some((!text.is_empty()).then(|| text.into())))
}

/// A text; an empty one is none.
pub(super) fn text_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    read(deserializer, "a text in quotes", |text| {
        Some(Some(text.trim()).filter(|text| !text.is_empty()).map(Into::into))
    })
}

/// The embedded store, or a cluster. What is wrong with it is said in its own words.
pub(super) fn store_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StoreUrl, D::Error> {
    let text = read(deserializer, "`sqlite`, or `cql://HOST:PORT,HOST:PORT/KEYSPACE`", |text| Some(text.to_owned()))?;
    text.parse().map_err(de::Error::custom)
}

/// A Redis; an empty text is none. What is wrong with it is said in its own words, for it may have a password in it.
pub(super) fn redis_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RedisUrl>, D::Error> {
    let text =
        read(deserializer, "`redis://HOST:PORT`, or `rediss://HOST:PORT` for TLS", |text| Some(text.to_owned()))?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(de::Error::custom)
}

/// A host and a port at which others are to reach something; an empty text is none.
pub(super) fn place_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    read(deserializer, "a host and a port such as \"10.0.0.7:8081\", or nothing", |text| match text.trim() {
        "" => Some(None),
        text => {
            // Port 0 is none that anybody could name.
            let (host, port) = host_and_port(text, 0).ok().filter(|(_, port)| *port > 0)?;
            Some(Some(format!("{host}:{port}")))
        }
    })
}

/// Whether and how a cluster is spoken to by TLS.
pub(super) fn store_tls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StoreTls, D::Error> {
    read(deserializer, "`off`, `on`, or the path of a file such as \"/etc/tertulia/ca.pem\"", |text| match text {
        "off" => Some(StoreTls::Off),
        "on" => Some(StoreTls::On),
        // Any other word is more likely mistyped than a file.
        path => path.contains(['/', '.']).then(|| StoreTls::By(path.into())),
    })
}

/// Where a server is: `https://…` or `http://…`, kept without a slash at its end.
pub(super) fn base_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    read(deserializer, "an address that begins with https:// or http://", |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let plain = !rest.is_empty() && !rest.starts_with('/') && !text.contains(|c: char| c.is_whitespace());
        plain.then(|| text.trim_end_matches('/').to_string())
    })
}

/// A secret; an empty text is none.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    struct Secret;
    impl Visitor<'_> for Secret {
        type Value = Option<SecretString>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text in quotes")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            // A line feed at the end is how secrets come out of files and pipes.
            let text = text.trim();
            Ok((!text.is_empty()).then(|| text.into()))
        }
    }
    deserializer.deserialize_str(Secret)
}

/// The models to try: a list, or one text with commas.
pub(super) fn models<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ModelName>, D::Error> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Vec<ModelName>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of models such as \"openai/gpt-x,builtin\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            checked(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_string))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = items.next_element::<String>()? {
                names.push(name);
            }
            checked(names.into_iter())
        }
    }
    fn checked<E: de::Error>(names: impl Iterator<Item = String>) -> Result<Vec<ModelName>, E> {
        let mut models: Vec<ModelName> = Vec::new();
        for name in names {
            let model = name.parse().map_err(E::custom)?;
            if models.contains(&model) {
                return Err(E::custom(format_args!("`{model}` stands in the list twice")));
            }
            models.push(model);
        }
        match models.len() {
            1..=8 => Ok(models),
            count => Err(E::custom(format_args!("expected 1 to 8 models, found {count}"))),
        }
    }
    deserializer.deserialize_any(Names)
}

/// Names with commas; none when the text is empty.
pub(super) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    read(deserializer, "names separated by commas", |text| {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        Some(names.map(str::to_owned).collect())
    })
}

/// Tokens of a model's context; 0 is none given.
pub(super) fn context_tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match u64::deserialize(deserializer)? {
        0 => Ok(None),
        tokens @ CONTEXT_TOKENS_MIN.. => Ok(Some(tokens)),
        tokens => Err(de::Error::invalid_value(Unexpected::Unsigned(tokens), &"0, or at least 256 tokens")),
    }
}

/// How the limit of a reply's length is named.
pub(super) fn output_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OutputLimit, D::Error> {
    read(deserializer, "one of auto, max_tokens, max_completion_tokens and none", |text| match text {
        "auto" => Some(OutputLimit::Auto),
        "max_tokens" => Some(OutputLimit::MaxTokens),
        "max_completion_tokens" => Some(OutputLimit::MaxCompletionTokens),
        "none" => Some(OutputLimit::Omitted),
        _ => None,
    })
}

/// Networks and single addresses: a list, or one text with commas.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    struct Networks;
    impl<'de> Visitor<'de> for Networks {
        type Value = Vec<IpNet>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of networks such as \"10.0.0.0/8, 192.0.2.7\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(network).collect()
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut networks = Vec::new();
            while let Some(one) = items.next_element::<String>()? {
                networks.push(network(&one)?);
            }
            Ok(networks)
        }
    }
    fn network<E: de::Error>(text: &str) -> Result<IpNet, E> {
        let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        parsed.map_err(|_| E::invalid_value(Unexpected::Str(text), &"a network such as \"10.0.0.0/8\" or an address"))
    }
    deserializer.deserialize_any(Networks)
}

/// One table under `[prices]`, in US dollars for a million tokens.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceTable {
    input: Dollars,
    cached: Option<Dollars>,
    output: Dollars,
}

/// The price of each model, by its name.
pub(super) fn prices<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<std::collections::BTreeMap<ModelName, Price>, D::Error> {
    let tables = std::collections::BTreeMap::<ModelName, PriceTable>::deserialize(deserializer)?;
    let price = |table: PriceTable| Price {
        input_microusd_per_million: table.input.0,
        cached_microusd_per_million: table.cached.unwrap_or(table.input).0,
        output_microusd_per_million: table.output.0,
    };
    Ok(tables.into_iter().map(|(name, table)| (name, price(table))).collect())
}

/// US dollars, kept as whole millionths.
#[derive(Clone, Copy)]
struct Dollars(u64);

impl Dollars {
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 6 || fraction.len() > 6 {
            return None;
        }
        let whole: u64 = whole.parse().ok()?;
        let micros: u64 = format!("{fraction:0<6}").parse().ok()?;
        Some(Self(whole * 1_000_000 + micros))
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;
        impl Visitor<'_> for Amount {
            type Value = Dollars;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("US dollars for a million tokens, such as 1.25, with at most six decimals")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Dollars, E> {
                Dollars::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Dollars, E> {
                Dollars::parse(&number.to_string()).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Dollars, E> {
                // The shortest text that reads back as this number is the one that was written.
                Dollars::parse(&number.to_string()).ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
            }
        }
        deserializer.deserialize_any(Amount)
    }
}

/// Reads a text with `parse`; what it does not take is answered with `expected`.
fn read<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    struct Parsed<T, F> {
        expected: &'static str,
        parse: F,
        kind: PhantomData<T>,
    }
    impl<T, F: Fn(&str) -> Option<T>> Visitor<'_> for Parsed<T, F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.expected)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.parse)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_str(Parsed { expected, parse, kind: PhantomData })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_exact() {
        for (text, micros) in [
            ("0", Some(0)),
            ("1.25", Some(1_250_000)),
            ("0.075", Some(75_000)),
            ("10.00", Some(10_000_000)),
            ("0.000001", Some(1)),
            ("0.0000001", None),
            ("-1", None),
            ("1e3", None),
            ("1.", None),
            (".5", None),
            ("1000000", None),
            ("NaN", None),
        ] {
            assert_eq!(Dollars::parse(text).map(|dollars| dollars.0), micros, "{text}");
        }
    }
}
