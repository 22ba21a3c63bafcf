//! What Kubernetes sets in every pod for each service beside it, such as `TERTULIA_METRICS_SERVICE_HOST` for one that is
//! called `tertulia-metrics`.
//! Invariant: a variable is taken for one of those only if its value is what is set there, too: so that a setting that
//! was mistyped is found, `TERTULIA_LISTEN_PORT=9000` for one.

use std::ffi::OsStr;
use std::net::IpAddr;

const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// Whether Kubernetes, or a link of Docker's, tells of a service by this variable.
pub(super) fn is_of_one(name: &str, value: &OsStr) -> bool {
    let Some(value) = value.to_str() else { return false };
    let is_port = value.parse::<u16>().is_ok();
    if name.ends_with("_SERVICE_HOST") {
        return value.parse::<IpAddr>().is_ok();
    }
    if name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
        return is_port;
    }
    // Before a protocol stands a number: `NAME_PORT_8080_TCP`, and what of it.
    let is_of_port = |of: &str, part: &str| {
        let Some((port, protocol)) = of.strip_suffix(part).and_then(|of| of.rsplit_once('_')) else { return false };
        let number = port.rsplit_once("_PORT_").map(|(_, number)| number.parse::<u16>());
        PROTOCOLS.contains(&protocol) && matches!(number, Some(Ok(_)))
    };
    if is_of_port(name, "_ADDR") {
        return value.parse::<IpAddr>().is_ok();
    }
    if is_of_port(name, "_PORT") {
        return is_port;
    }
    if is_of_port(name, "_PROTO") {
        return PROTOCOLS.iter().any(|protocol| protocol.eq_ignore_ascii_case(value));
    }
    (name.ends_with("_PORT") || is_of_port(name, "")) && is_address(value)
}

/// `tcp://10.0.0.7:8080`
fn is_address(value: &str) -> bool {
    value.split_once("://").is_some_and(|(protocol, place)| {
        PROTOCOLS.iter().any(|known| known.eq_ignore_ascii_case(protocol))
            && place.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_told_by_its_name_and_its_value() {
        for service in ["TERTULIA", "TERTULIA_METRICS", "TERTULIA_HEADLESS", "TERTULIA_REDIS", "TERTULIA_STORE"] {
            for (of, value, other) in [
                ("SERVICE_HOST", "10.0.0.7", "x"),
                ("SERVICE_HOST", "fd00::7", "chat.example"),
                ("SERVICE_PORT", "9100", "https"),
                ("SERVICE_PORT_HTTP", "9100", "http"),
                ("SERVICE_PORT_WEB_2", "9100", "70000"),
                ("PORT", "tcp://10.0.0.7:9100", "9100"),
                ("PORT", "udp://[fd00::7]:9100", "10.0.0.7:9100"),
                ("PORT_9100_TCP", "tcp://10.0.0.7:9100", "tcp"),
                ("PORT_53_UDP", "udp://10.0.0.7:53", "http://10.0.0.7:53"),
                ("PORT_9100_TCP_PROTO", "tcp", "http"),
                ("PORT_9100_SCTP_PORT", "9100", "tcp"),
                ("PORT_9100_TCP_ADDR", "10.0.0.7", "9100"),
            ] {
                let name = format!("{service}_{of}");
                assert!(is_of_one(&name, OsStr::new(value)), "{name}={value}");
                assert!(!is_of_one(&name, OsStr::new(other)), "{name}={other}");
            }
        }
        for (name, value) in [
            ("TERTULIA_PORT_X_TCP", "tcp://10.0.0.7:9100"),
            ("TERTULIA_PORT_9100_HTTP", "tcp://10.0.0.7:9100"),
            ("TERTULIA_9100_TCP_ADDR", "10.0.0.7"),
            ("TERTULIA_HOST", "10.0.0.7"),
            ("TERTULIA_LISTN", "tcp://10.0.0.7:9100"),
        ] {
            assert!(!is_of_one(name, OsStr::new(value)), "{name}={value}");
        }
    }
}
