//! The tenant commands on a running node and on a stopped one.

use super::super::backend;
use super::super::testing::ScriptedNode;
use super::*;
use crate::datadir::DataDir;

const ID: &str = "ten_0192b1a0c0de7000800000000000abcd";

async fn run_on_node(command: Tenant) -> (Result<String, CliError>, Vec<String>) {
    let root = tempfile::tempdir().unwrap();
    let data = DataDir::open(&root.path().join("data")).unwrap();
    let view = |disabled| format!(r#"{{"id":"{ID}","name":"acme","version":1,"disabled":{disabled},"profile":{{}}}}"#);
    let list = format!(r#"{{"tenants":[{}]}}"#, view(true));
    let made = format!(r#"{{"tenant":"{ID}","name":"acme","api_key":"tk_new"}}"#);
    let [rotate, disable, enable] =
        ["rotate-key", "disable", "enable"].map(|verb| format!("POST /v1/admin/tenants/{ID}/{verb}"));
    let set_plan = format!("PUT /v1/admin/tenants/{ID}/plan");
    let script = [
        (
            set_plan.as_str(),
            200,
            r#"{"id":"ten_0192b1a0c0de7000800000000000abcd","name":"acme","version":1,"profile":{},"plan":{"name":"pro","version":3,"plan":{}}}"#,
        ),
        ("GET /healthz", 200, "{}"),
        ("GET /v1/admin/tenants", 200, list.as_str()),
        ("POST /v1/admin/tenants", 201, made.as_str()),
        (rotate.as_str(), 200, made.as_str()),
        (disable.as_str(), 200, &view(true)),
        (enable.as_str(), 200, &view(false)),
    ];
    let node = ScriptedNode::start(data.path(), &script).await;
    let backend = backend::for_operator(&node.config).await.unwrap();
    let mut out = Vec::new();
    let outcome = run(&*backend, command, &mut out).await.map(|()| String::from_utf8(out).unwrap());
    let key = secrecy::ExposeSecret::expose_secret(data.admin_key()).to_string();
    let asked = node.asked.lock().unwrap().iter().skip(1).map(|asked| asked.replace(&key, "admin")).collect();
    (outcome, asked)
}

#[tokio::test]
async fn each_command_asks_the_node_with_the_operators_key() {
    let list = "GET /v1/admin/tenants [Bearer admin]";
    let key = format!("tenant   {ID}  acme\napi key  tk_new  (shown this once)\n");
    let post = |verb: &str| format!("POST /v1/admin/tenants/{ID}/{verb} [Bearer admin]");
    for (command, out, asked) in [
        (Tenant::List, format!("{ID}  disabled  default       acme\n"), vec![list.to_string()]),
        (
            Tenant::Create { name: "acme".into(), plan: "default".into() },
            key.clone(),
            vec![r#"POST /v1/admin/tenants [Bearer admin] {"name":"acme"}"#.into()],
        ),
        (
            Tenant::Create { name: "acme".into(), plan: "pro".into() },
            key.clone(),
            vec![r#"POST /v1/admin/tenants [Bearer admin] {"name":"acme","plan":"pro"}"#.into()],
        ),
        (
            Tenant::Plan { tenant: "acme".into(), plan: "pro".into() },
            "acme has the plan pro\n".into(),
            vec![list.into(), format!(r#"PUT /v1/admin/tenants/{ID}/plan [Bearer admin] {{"plan":"pro"}}"#)],
        ),
        (Tenant::RotateKey { tenant: "acme".into() }, key, vec![list.into(), post("rotate-key")]),
        (Tenant::Disable { tenant: ID.into() }, "acme is disabled\n".into(), vec![list.into(), post("disable")]),
        (Tenant::Enable { tenant: "acme".into() }, "acme is enabled\n".into(), vec![list.into(), post("enable")]),
    ] {
        let name = format!("{command:?}");
        let (outcome, found) = run_on_node(command).await;
        assert_eq!((outcome.unwrap(), found), (out, asked), "{name}");
    }
    let (outcome, _) = run_on_node(Tenant::Disable { tenant: "acne".into() }).await;
    assert_eq!(outcome.unwrap_err().to_string(), "there is no tenant `acne`; `tertulia tenant list` has them all");
}
