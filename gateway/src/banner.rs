//! What a node says of itself on standard output once it serves: lines for people, or one line of JSON where the
//! log is JSON.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use engine_config::LogFormat;
use schema::Origin;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::invocation;

/// What a node tells whoever started it.
pub(crate) struct Banner<'a> {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where it answers metrics, when not there.
    pub(crate) metrics_address: Option<SocketAddr>,
    /// Where browsers reach it, when not at that address.
    pub(crate) public_url: Option<&'a Origin>,
    /// Which models answer, in words.
    pub(crate) models: &'a str,
    /// The demo tenant's key, if it may be shown.
    pub(crate) api_key: Option<&'a SecretString>,
}

impl Banner<'_> {
    /// Writes it in the log's format: lines of text, or one of JSON.
    ///
    /// # Errors
    /// When nobody can read it.
    pub(crate) fn write(&self, format: LogFormat, out: &mut impl Write) -> io::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        let Self { address, models, .. } = self;
        let base = format!("http://{}", reachable(*address));
        let pages = self.public_url.map_or(base.as_str(), Origin::as_str);
        // Behind a public address whoever asks at the main one may be anybody: there they are not answered.
        let metrics_address = self.metrics_address.or_else(|| self.public_url.is_none().then_some(*address));
        let metrics = metrics_address.map(|address| format!("http://{}/metrics", reachable(address)));
        let key = self.api_key.map(|key| key.expose_secret());
        let chat = invocation::command("chat");
        match format {
            LogFormat::Json => {
                let line = json!({
                    "message": "listens", "version": version, "address": address, "chat": format!("{pages}/"),
                    "studio": format!("{pages}/studio"), "api": format!("{base}/openapi.json"), "metrics": metrics,
                    "answers": models, "api_key": key, "terminal": chat,
                });
                writeln!(out, "{line}")?;
            }
            LogFormat::Text => {
                writeln!(out, "tertulia {version} listens on http://{address}")?;
                writeln!(out, "  chat       {pages}/")?;
                writeln!(out, "  studio     {pages}/studio")?;
                writeln!(out, "  API        {base}/openapi.json")?;
                writeln!(out, "  metrics    {}", metrics.as_deref().unwrap_or("off    (set `metrics_listen`)"))?;
                writeln!(out, "  answers    {models}    (set TERTULIA_MODEL for another model)")?;
                writeln!(out, "  API key    {}    (tenant \"demo\")", key.unwrap_or("as configured"))?;
                writeln!(out, "  terminal   {chat}")?;
            }
        }
        out.flush()
    }
}

/// The address by which a browser on this machine comes to it: "all addresses" is none to go to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let here = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(here, address.port())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn told(format: LogFormat, banner: &Banner<'_>) -> String {
        let mut out = Vec::new();
        banner.write(format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn pages_have_full_addresses_that_lead_there() {
        let public: Origin = "https://chat.example".parse().unwrap();
        let key = SecretString::from("tert_x");
        for (address, public_url, pages, metrics_address, metrics) in [
            ("127.0.0.1:8080", None, "http://127.0.0.1:8080", None, Some("http://127.0.0.1:8080/metrics")),
            ("0.0.0.0:80", None, "http://127.0.0.1:80", None, Some("http://127.0.0.1:80/metrics")),
            ("[::]:80", None, "http://[::1]:80", Some("[::]:9100"), Some("http://[::1]:9100/metrics")),
            ("0.0.0.0:80", Some(&public), "https://chat.example", None, None),
            (
                "0.0.0.0:80",
                Some(&public),
                "https://chat.example",
                Some("0.0.0.0:9100"),
                Some("http://127.0.0.1:9100/metrics"),
            ),
        ] {
            let metrics_address = metrics_address.map(|address| address.parse().unwrap());
            let address = address.parse().unwrap();
            let banner = Banner { address, metrics_address, public_url, models: "builtin", api_key: Some(&key) };
            let text = told(LogFormat::Text, &banner);
            for line in [format!("  chat       {pages}/"), format!("  studio     {pages}/studio")] {
                assert!(text.lines().any(|told| told == line), "{line}\n{text}");
            }
            assert!(text.starts_with("tertulia ") && text.contains("tert_x"), "{text}");
            assert!(text.contains(metrics.unwrap_or("  metrics    off")), "{text}");
            let json = told(LogFormat::Json, &banner);
            assert_eq!(json.lines().count(), 1, "{json}");
            let json: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(json["address"], address.to_string());
            assert_eq!(
                (&json["chat"], &json["studio"]),
                (&json!(format!("{pages}/")), &json!(format!("{pages}/studio")))
            );
            assert_eq!((&json["metrics"], &json["api_key"]), (&json!(metrics), &json!("tert_x")));
        }
    }

    #[test]
    fn a_key_that_was_given_is_not_told_again() {
        let address = "127.0.0.1:1".parse().unwrap();
        let banner = Banner { address, metrics_address: None, public_url: None, models: "builtin", api_key: None };
        assert!(told(LogFormat::Text, &banner).contains("as configured"));
        let json: Value = serde_json::from_str(&told(LogFormat::Json, &banner)).unwrap();
        assert_eq!(json["api_key"], Value::Null);
    }
}
