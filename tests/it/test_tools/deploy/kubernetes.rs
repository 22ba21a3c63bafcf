//! The manifests: each overlay is built and held against Kubernetes' own schemas, the oldest and the newest; and what no
//! schema says: drains have time, selectors meet the pods, ports have names, nobody is root.

use serde_json::Value;

use super::{documents, drain_s, folder, said, settings, text, tool, variables};
use crate::test_tools::named;

const OVERLAYS: [&str; 2] = ["one-node", "cluster"];
/// As many as tests/install-tools lays out.
const VERSIONS: [&str; 2] = ["1.34.0", "1.37.0"];
const NAME: &str = "app.kubernetes.io/name";

fn built(overlay: &str) -> String {
    let path = folder("kubernetes/overlays").join(overlay);
    said(tool("kustomize").arg("build").arg(path), "").unwrap()
}

fn conforms(manifests: &str, version: &str) -> Result<String, String> {
    let schemas = named("TERTULIA_TEST_DEPLOY").join("schemas");
    let place = "{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json";
    let mut command = tool("kubeconform");
    command.args(["-strict", "-summary", "-kubernetes-version", version, "-schema-location"]);
    said(command.arg(format!("{}/{place}", schemas.display())), manifests)
}

#[test]
fn every_overlay_conforms_to_the_schemas() {
    for overlay in OVERLAYS {
        let example = text(&format!("kubernetes/overlays/{overlay}/secret.example.yaml"));
        let whole = format!("{}\n---\n{example}", built(overlay));
        for version in VERSIONS {
            let summary = conforms(&whole, version).unwrap();
            assert!(summary.contains("Skipped: 0") && !summary.contains("Valid: 0"), "{overlay}: {summary}");
            for (good, bad) in [("periodSeconds", "periodSecond"), ("replicas: ", "replicas: x")] {
                assert!(whole.contains(good), "{good}");
                assert!(conforms(&whole.replace(good, bad), version).is_err(), "{overlay}, {version}: {bad}");
            }
        }
    }
}

#[test]
fn the_monitor_can_be_turned_on() {
    let scratch = tempfile::tempdir().unwrap();
    copy(&folder("kubernetes"), scratch.path());
    let file = scratch.path().join("overlays/cluster/kustomization.yaml");
    let off = std::fs::read_to_string(&file).unwrap();
    let on = off.replace("# components:\n#   - ", "components:\n  - ");
    assert_ne!(on, off);
    std::fs::write(&file, on).unwrap();
    let built = said(tool("kustomize").arg("build").arg(file.parent().unwrap()), "").unwrap();
    let all = documents(&built);
    let monitor = all.iter().find(|one| one["kind"] == "PodMonitor").unwrap();
    assert_eq!(monitor["spec"]["selector"]["matchLabels"][NAME], "tertulia");
    let pods = nodes(&all);
    let port = &monitor["spec"]["podMetricsEndpoints"][0]["port"];
    assert!(list(&pods["spec"]["template"]["spec"]["containers"][0]["ports"]).iter().any(|one| one["name"] == *port));
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let into = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&into).unwrap();
            copy(&entry.path(), &into);
        } else {
            std::fs::copy(entry.path(), into).unwrap();
        }
    }
}

#[test]
fn what_no_schema_says_holds_too() {
    for overlay in OVERLAYS {
        let built = built(overlay);
        assert_eq!(complaints(&documents(&built)), Vec::<String>::new(), "{overlay}");
        for (good, bad) in [
            ("terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 30"),
            ("path: /readyz", "path: /ready"),
            ("port: http\n", "port: htpp\n"),
            ("runAsNonRoot: true", "runAsNonRoot: false"),
            ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
            ("TERTULIA_MODEL:", "TERTULIA_MODELL:"),
            ("name: data\n", "name: dat\n"),
            ("  selector:\n    app.kubernetes.io/name: tertulia", "  selector:\n    app.kubernetes.io/name: others"),
        ] {
            assert!(built.contains(good), "{overlay}: {good}");
            // Once, so that two places that have to agree no longer do.
            let planted = documents(&built.replacen(good, bad, 1));
            assert_ne!(complaints(&planted), Vec::<String>::new(), "{overlay}: {bad}");
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn nodes(all: &[Value]) -> &Value {
    all.iter().find(|one| one["kind"] == "StatefulSet").unwrap()
}

fn complaints(all: &[Value]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut must = |holds: bool, words: &str| {
        if !holds {
            complaints.push(words.to_owned());
        }
    };
    let set = &nodes(all)["spec"];
    let (template, pod) = (&set["template"], &set["template"]["spec"]);
    let node = &pod["containers"][0];
    let is_ours = |labels: &Value| labels[NAME] == "tertulia" && labels.as_object().is_some_and(|map| map.len() == 1);
    must(
        is_ours(&set["selector"]["matchLabels"]) && template["metadata"]["labels"][NAME] == "tertulia",
        "its selector",
    );

    // What it is told, by the map that it names and by itself.
    let map = &node["envFrom"][0]["configMapRef"]["name"];
    let map = all.iter().find(|one| one["kind"] == "ConfigMap" && one["metadata"]["name"] == *map);
    must(map.is_some(), "the map of its settings");
    let mut set_so = map.map_or_else(Vec::new, |map| variables(&map["data"]));
    for one in list(&node["env"]) {
        let name = one["name"].as_str().unwrap_or_default();
        // What is filled in where it runs.
        let value = one["value"].as_str().unwrap_or_default().replace("$(POD_IP)", "10.0.0.7");
        set_so.push((name.to_owned(), value));
    }
    let refusal = crate::deploy::refused(set_so.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    must(refusal.is_none(), &format!("{refusal:?}"));
    if refusal.is_none() {
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
        let before = node["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap_or_default();
        let most = drain_s(&settings(&set_so));
        must(before >= 5 && grace > before + most, &format!("{grace} s for {before} s and a drain of {most} s"));
    }

    let ports: Vec<&Value> = list(&node["ports"]).iter().map(|port| &port["name"]).collect();
    for (probe, path) in [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        let get = &node[probe]["httpGet"];
        must(get["path"] == path && ports.contains(&&get["port"]), probe);
    }
    let volumes: Vec<&Value> = list(&pod["volumes"]).iter().map(|one| &one["name"]).collect();
    let claims: Vec<&Value> = list(&set["volumeClaimTemplates"]).iter().map(|one| &one["metadata"]["name"]).collect();
    must(pod["securityContext"]["runAsNonRoot"] == true, "it may be root");
    must(pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", "any call of the system");
    must(pod["automountServiceAccountToken"] == false, "it is given a token that it does not need");
    for container in list(&pod["containers"]).iter().chain(list(&pod["initContainers"])) {
        let context = &container["securityContext"];
        must(context["allowPrivilegeEscalation"] == false, "it may become more");
        must(context["readOnlyRootFilesystem"] == true, "it may write its own files");
        must(context["capabilities"]["drop"] == serde_json::json!(["ALL"]), "it keeps capabilities");
        must(container["resources"]["requests"]["memory"].is_string(), "nobody knows what it needs");
        must(
            container["image"].as_str().is_some_and(|image| image.contains(':') && !image.ends_with("latest")),
            "image",
        );
        for mount in list(&container["volumeMounts"]) {
            let name = &mount["name"];
            must(volumes.contains(&name) || claims.contains(&name), &format!("there is no volume {name}"));
        }
    }

    for one in all {
        match one["kind"].as_str() {
            Some("Service") => {
                must(is_ours(&one["spec"]["selector"]), "the service's selector");
                must(ports.contains(&&one["spec"]["ports"][0]["targetPort"]), "the service's port");
            }
            Some("PodDisruptionBudget") => {
                must(is_ours(&one["spec"]["selector"]["matchLabels"]), "the budget's selector");
            }
            Some("NetworkPolicy") => {
                must(is_ours(&one["spec"]["podSelector"]["matchLabels"]), "a policy's selector");
                let ways = list(&one["spec"]["ingress"]).iter().chain(list(&one["spec"]["egress"]));
                for port in ways.flat_map(|way| list(&way["ports"])).map(|port| &port["port"]) {
                    must(port.is_u64() || ports.contains(&port), &format!("a policy names the port {port}"));
                }
            }
            _ => {}
        }
        must(one["metadata"]["namespace"] == "tertulia", "something is outside of the namespace");
    }
    complaints
}
