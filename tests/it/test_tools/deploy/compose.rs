//! The compose file, as compose itself reads it, and what it does not look at: that the parts are told of each other
//! alike, that only two of them are published, that a drain has time.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{drain_s, folder, said, settings, text, tool, variables};

fn loaded(file: &Path) -> Result<String, String> {
    let mut command = tool("compose");
    // Its paths are relative to where it is started.
    command.current_dir(file.parent().unwrap()).env_clear();
    command.args(["-format", "json"]).arg(file);
    said(&mut command, "")
}

/// compose.yaml with its neighbours, with something replaced.
fn planted(good: &str, bad: &str) -> Result<Value, String> {
    let scratch = tempfile::tempdir().unwrap();
    let yaml = text("compose/compose.yaml");
    assert!(yaml.contains(good), "{good}");
    let file = scratch.path().join("compose.yaml");
    std::fs::write(&file, yaml.replacen(good, bad, 1)).unwrap();
    loaded(&file).map(|json| serde_json::from_str(&json).unwrap())
}

#[test]
fn compose_reads_its_file() {
    let file = folder("compose/compose.yaml");
    let plain: Value = serde_json::from_str(&loaded(&file).unwrap()).unwrap();
    assert_eq!(complaints(&plain), Vec::<String>::new());
    // The example says what holds without it, and names all that can be changed there.
    let (yaml, example) = (text("compose/compose.yaml"), text("compose/.env.example"));
    let asked = yaml.split("${").skip(1).map(|part| part.split('}').next().unwrap_or_default());
    let asked: BTreeSet<(&str, &str)> = asked.map(|part| part.split_once(":-").unwrap_or((part, ""))).collect();
    let named: BTreeSet<(&str, &str)> =
        example.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')).collect();
    assert_eq!(asked, named);
    assert!(named.len() > 4);
}

#[test]
fn a_fault_in_it_is_caught() {
    for (good, bad) in [("services:", "servces:"), ("condition: service_healthy", "condition: service_healty")] {
        assert!(planted(good, bad).is_err(), "{bad}");
    }
    for (good, bad) in [
        ("scylla-1: {condition", "scylla-9: {condition"),
        ("networks: [balanced", "networks: [balancd"),
        ("10.77.0.2\n", "10.77.0.3\n"),
        ("stop_grace_period: 45s", "stop_grace_period: 15s"),
        ("PUBLISH_ADDRESS:-127.0.0.1", "PUBLISH_ADDRESS:-0.0.0.0"),
        ("  redis:\n    <<: *plain\n", "  redis:\n    <<: *plain\n    ports: [\"6379:6379\"]\n"),
        ("read_only: true", "read_only: false"),
        ("TERTULIA_MODEL:", "TERTULIA_MODELL:"),
        ("tertulia-2:8090", "tertulia-3:8090"),
        ("redis://redis:", "redis://reddis:"),
        ("mem_limit: 2g", "shm_size: 2g"),
        ("image: redis:7.2.5-alpine", "image: redis"),
        ("internal: true", "internal: false"),
        ("  logging: *logging\n", ""),
        ("      interval: 5s\n      timeout: 3s\n", "      disable: true\n"),
    ] {
        let found = planted(good, bad).unwrap_or_else(|why| panic!("{bad}: {why}"));
        assert_ne!(complaints(&found), Vec::<String>::new(), "{bad}");
    }
}

fn complaints(compose: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut must = |holds: bool, words: String| {
        if !holds {
            complaints.push(words);
        }
    };
    let services = compose["services"].as_object().unwrap();
    for (name, service) in services {
        let image = service["image"].as_str().unwrap_or_default();
        must(image.contains(':') && !image.ends_with("latest"), format!("{name}: {image} is of no version"));
        must(service["logging"]["options"]["max-size"].is_string(), format!("{name}: its log has no end"));
        must(!service["mem_limit"].is_null(), format!("{name}: its memory has no bound"));
        must(service["healthcheck"]["disable"] != true, format!("{name}: nobody looks after it"));
        // The image of the nodes has a check of its own.
        must(service["healthcheck"]["test"].is_array() || is_node(name), format!("{name}: nobody looks after it"));
        must(service["security_opt"][0] == "no-new-privileges:true", format!("{name}: it may become more"));
        for (kind, known) in [("depends_on", &compose["services"]), ("networks", &compose["networks"])] {
            for other in service[kind].as_object().into_iter().flat_map(serde_json::Map::keys) {
                must(!known[other].is_null(), format!("{name}: {kind}: there is no {other}"));
            }
        }
        let published = service["ports"].as_array().map_or(&[][..], Vec::as_slice);
        must(published.is_empty() || ["haproxy", "grafana"].contains(&name.as_str()), format!("{name}: is published"));
        must(published.iter().all(|port| port["host_ip"] == "127.0.0.1"), format!("{name}: is open to the network"));
    }
    for (name, network) in compose["networks"].as_object().unwrap() {
        let leads_out = ["published", "outside"].contains(&name.as_str());
        must((network["internal"] == true) != leads_out, format!("the network {name}"));
    }

    let nodes: Vec<&String> = services.keys().filter(|name| is_node(name)).collect();
    must(nodes.len() == 3, format!("{nodes:?}"));
    let balancer = &services["haproxy"]["networks"]["balanced"]["ipv4_address"];
    for name in &nodes {
        let node = &services[*name];
        let set = variables(&node["environment"]);
        let of = |name: &str| set.iter().find(|(set, _)| set == name).map_or("", |(_, value)| value);
        let refusal = crate::deploy::refused(set.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        must(refusal.is_none(), format!("{name}: {refusal:?}"));
        if refusal.is_none() {
            let grace = node["stop_grace_period"].as_str().and_then(|grace| grace.strip_suffix('s')?.parse().ok());
            must(grace.is_some_and(|grace: u64| grace > drain_s(&settings(&set))), format!("{name}: no time to drain"));
        }
        must(of("TERTULIA_SERVER__TRUSTED_PROXIES") == balancer, format!("{name} believes another proxy"));
        let peer = of("TERTULIA_PEER_LISTEN").rsplit(':').next().unwrap_or_default();
        must(of("TERTULIA_PEER__ADDRESS") == format!("{name}:{peer}"), format!("{name} says that it is another"));
        let hosts = of("TERTULIA_STORE").trim_start_matches("cql://").split(['/', ',']).collect::<Vec<_>>();
        let redis = of("TERTULIA_REDIS").trim_start_matches("redis://").split(':').next().unwrap_or_default();
        for host in hosts.iter().rev().skip(1).chain([&redis]) {
            must(services.contains_key(*host), format!("{name}: there is no {host}"));
        }
        must(node["read_only"] == true && node["cap_drop"][0] == "ALL", format!("{name} may do more than it needs"));
    }

    // Who names them elsewhere.
    let (balancer, prometheus) = (text("compose/haproxy/haproxy.cfg"), text("compose/prometheus/prometheus.yml"));
    for name in &nodes {
        must(balancer.contains(&format!("server {name} {name}:8080")), format!("{name} is not balanced"));
        must(prometheus.contains(&format!("{name}:9100")), format!("{name} is not measured"));
    }
    let servers = balancer.lines().filter(|line| line.trim().starts_with("server ")).count();
    must(servers == nodes.len(), format!("{servers} servers are balanced"));
    complaints
}

fn is_node(name: &str) -> bool {
    name.starts_with("tertulia-")
}

/// Every file that is mounted is there, or made by the script.
#[test]
fn what_it_mounts_is_there() {
    let compose: Value = serde_json::from_str(&loaded(&folder("compose/compose.yaml")).unwrap()).unwrap();
    let services = compose["services"].as_object().unwrap();
    let volumes = services.values().flat_map(|service| service["volumes"].as_array().into_iter().flatten());
    let binds: Vec<&str> =
        volumes.filter(|one| one["type"] == "bind").filter_map(|one| one["source"].as_str()).collect();
    assert_eq!(binds.len(), 3, "{binds:?}");
    assert!(binds.iter().all(|path| Path::new(path).exists()), "{binds:?}");
    let script = text("compose/make-secrets");
    for secret in compose["secrets"].as_object().unwrap().values() {
        let name = Path::new(secret["file"].as_str().unwrap()).file_name().unwrap().to_str().unwrap();
        assert!(script.contains(&format!("keep {name} ")), "{name}");
    }
    assert!(Command::new("sh").arg("-n").arg(folder("compose/make-secrets")).status().unwrap().success());
}
