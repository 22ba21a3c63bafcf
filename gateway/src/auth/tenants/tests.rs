//! Tenants and their keys, on records in memory.

use std::time::Duration;

use super::super::testing::{MemoryRecords, NOW, tenants, tenants_on};
use super::super::{AuthError, Kind};
use super::*;
use actors::Generation;

fn later(millis: u64) -> Timestamp {
    NOW.plus(Duration::from_millis(millis))
}

#[tokio::test]
async fn a_tenant_is_made_once_and_found_by_name_and_id() {
    let (tenants, keys, _dir) = tenants();
    let (acme, key) = tenants.create(" Acme & Söhne ", NOW).await.unwrap();
    assert_eq!(acme.name, "Acme & Söhne");
    assert_eq!(tenants.find("Acme & Söhne").await.unwrap(), acme);
    assert_eq!(tenants.find(&acme.id.to_string()).await.unwrap(), acme);
    assert_eq!(keys.check(key.expose_secret(), NOW).await.unwrap().tenant, acme.id);
    assert!(matches!(tenants.create("Acme & Söhne", NOW).await, Err(TenantError::NameTaken)));
    for bad in
        ["ac\u{202e}\u{2066}me", "ac\u{200b}me", "", "  ", "a\nb", &"x".repeat(81), &TenantId::generate().to_string()]
    {
        let refused = tenants.create(bad, NOW).await;
        assert!(matches!(refused, Err(TenantError::Name(_) | TenantError::NameIsId)), "{bad}");
    }
    for unknown in ["nobody", &TenantId::generate().to_string()] {
        assert!(matches!(tenants.find(unknown).await, Err(TenantError::NotFound)), "{unknown}");
    }
}

#[tokio::test]
async fn the_list_has_all_of_them_oldest_first() {
    let (tenants, _keys, _dir) = tenants();
    let names: Vec<String> = (0..250).map(|n| format!("tenant {n}")).collect();
    for name in &names {
        tenants.create(name, NOW).await.unwrap();
    }
    let listed: Vec<String> = tenants.list().await.unwrap().into_iter().map(|view| view.name).collect();
    assert_eq!(listed, names);
}

#[tokio::test]
async fn nothing_stored_gives_a_key_away() {
    let records = Arc::<MemoryRecords>::default();
    let dir = tempfile::tempdir().unwrap();
    let (tenants, _) = tenants_on(&records, &dir);
    let (_, key) = tenants.create("acme", NOW).await.unwrap();
    for (name, (_, body)) in records.all.lock().unwrap().iter() {
        let body = String::from_utf8_lossy(body);
        assert!(!body.contains(key.expose_secret()) && !name.id.contains(key.expose_secret()), "{name:?}");
    }
}

#[tokio::test]
async fn a_rotated_key_is_dead_at_once_here_and_soon_elsewhere() {
    let records = Arc::<MemoryRecords>::default();
    let dir = tempfile::tempdir().unwrap();
    let (here, keys_here) = tenants_on(&records, &dir);
    let (_there, keys_there) = tenants_on(&records, &dir);
    let (acme, old) = here.create("acme", NOW).await.unwrap();
    let old = old.expose_secret();
    for keys in [&keys_here, &keys_there] {
        assert!(keys.check(old, NOW).await.is_ok());
    }
    let (_, new) = here.rotate_key(acme.id, NOW).await.unwrap();
    assert!(matches!(keys_here.check(old, NOW).await, Err(AuthError::Unauthorized)));
    assert!(keys_here.check(new.expose_secret(), NOW).await.is_ok());
    assert!(matches!(keys_there.check(old, later(5_000)).await, Err(AuthError::Unauthorized)));
    assert!(keys_there.check(new.expose_secret(), later(5_000)).await.is_ok());
    let left = records.all.lock().unwrap().keys().filter(|name| name.kind == "api_key").count();
    assert_eq!(left, 1, "the old record is gone");
}

#[tokio::test]
async fn a_tenant_of_an_earlier_program_is_of_the_first_generation() {
    let records = Arc::<MemoryRecords>::default();
    let dir = tempfile::tempdir().unwrap();
    let (tenants, keys) = tenants_on(&records, &dir);
    let (acme, key) = tenants.create("acme", NOW).await.unwrap();
    let name = TenantRecord::record_name(acme.id);
    let (version, mut body) =
        record_body::load::<serde_json::Value, _>(&*records, name.clone()).await.unwrap().unwrap();
    assert!(body.as_object_mut().unwrap().remove("generation").is_some());
    record_body::save(&*records, name, version, &body).await.unwrap();
    let earlier = TenantRecord { generation: Generation::default(), ..acme.clone() };
    assert_eq!(tenants.find("acme").await.unwrap(), earlier);
    assert!(keys.check(key.expose_secret(), NOW).await.is_ok());
    let (rotated, _) = tenants.rotate_key(acme.id, NOW).await.unwrap();
    assert_ne!(rotated.generation, Generation::default());
}

#[tokio::test]
async fn a_disabled_tenant_is_told_so_until_it_is_enabled() {
    let (tenants, keys, _dir) = tenants();
    let (acme, key) = tenants.create("acme", NOW).await.unwrap();
    assert!(tenants.set_disabled(acme.id, true).await.unwrap().disabled);
    assert!(matches!(keys.check(key.expose_secret(), NOW).await, Err(AuthError::Disabled)));
    let (_, key) = tenants.rotate_key(acme.id, NOW).await.unwrap();
    assert!(
        matches!(keys.check(key.expose_secret(), NOW).await, Err(AuthError::Disabled)),
        "a new key changes nothing"
    );
    assert!(!tenants.set_disabled(acme.id, false).await.unwrap().disabled);
    assert!(keys.check(key.expose_secret(), NOW).await.is_ok());
    assert!(matches!(keys.tenant(TenantId::generate(), NOW).await, Ok(None)));
    assert!(matches!(tenants.set_disabled(TenantId::generate(), true).await, Err(TenantError::NotFound)));
}

#[tokio::test]
async fn keys_that_are_none_are_refused() {
    let (tenants, keys, _dir) = tenants();
    let (_, key) = tenants.create("acme", NOW).await.unwrap();
    let key = key.expose_secret();
    for wrong in ["", "x", &key[..51], &format!("{key} "), &key.to_lowercase(), &"a".repeat(1_000_000)] {
        assert!(matches!(keys.check(wrong, NOW).await, Err(AuthError::Unauthorized)), "{wrong:.60}");
    }
}

#[tokio::test]
async fn a_creation_that_was_cut_off_is_finished_by_the_next_one() {
    let records = Arc::<MemoryRecords>::default();
    let dir = tempfile::tempdir().unwrap();
    let (tenants, _) = tenants_on(&records, &dir);
    let (acme, _) = tenants.create("acme", NOW).await.unwrap();
    records.all.lock().unwrap().remove(&TenantRecord::record_name(acme.id));
    let (again, key) = tenants.create("acme", NOW).await.unwrap();
    assert_eq!(again.id, acme.id);
    assert_ne!(again.generation, acme.generation, "should it be one that was lost, its tokens stay dead");
    let (_, keys) = tenants_on(&records, &dir);
    assert!(keys.check(key.expose_secret(), NOW).await.is_ok());
}

#[tokio::test]
async fn the_demo_tenant_keeps_its_key_over_restarts() {
    let records = Arc::<MemoryRecords>::default();
    let dir = tempfile::tempdir().unwrap();
    let start = async |api_key: Option<&str>| {
        let (tenants, keys) = tenants_on(&records, &dir);
        let demo = tenants.ensure_demo(api_key.map(SecretString::from).as_ref(), NOW).await?;
        let who = keys.check(demo.key.expose_secret(), NOW).await.unwrap();
        assert!(who.tenant == demo.tenant && matches!(who.kind, Kind::ApiKey { .. }));
        Ok::<_, TenantError>((demo, tenants, keys))
    };
    let (first, ..) = start(None).await.unwrap();
    assert!(first.created);
    let (second, tenants, _) = start(None).await.unwrap();
    assert!(!second.created);
    assert_eq!(second.key.expose_secret(), first.key.expose_secret());

    let (_, rotated) = tenants.rotate_key(second.tenant, NOW).await.unwrap();
    let (third, ..) = start(None).await.unwrap();
    assert_eq!(third.key.expose_secret(), rotated.expose_secret());

    let (fourth, tenants, keys) = start(Some("a key of my own choosing")).await.unwrap();
    assert_eq!((fourth.tenant, fourth.key.expose_secret()), (first.tenant, "a key of my own choosing"));
    assert!(keys.check(rotated.expose_secret(), NOW).await.is_err(), "instead of the generated one");
    let (fifth, ..) = start(None).await.unwrap();
    assert_eq!(fifth.key.expose_secret(), rotated.expose_secret(), "and back");

    start(Some("a key of my own choosing")).await.unwrap();
    let (_, newest) = tenants.rotate_key(first.tenant, NOW).await.unwrap();
    let (after, keys_after) = tenants_on(&records, &dir);
    let leaked = SecretString::from("a key of my own choosing");
    after.ensure_demo(Some(&leaked), NOW).await.unwrap();
    assert!(keys_after.check(leaked.expose_secret(), NOW).await.is_err(), "a start brings no rotated key back");
    assert!(keys_after.check(newest.expose_secret(), NOW).await.is_ok());

    let (_, acme_key) = tenants.create("acme", NOW).await.unwrap();
    assert!(matches!(start(Some(acme_key.expose_secret())).await, Err(TenantError::Key)));
    tenants.set_disabled(first.tenant, true).await.unwrap();
    let (again, keys) = tenants_on(&records, &dir);
    let demo = again.ensure_demo(None, NOW).await.unwrap();
    assert!(
        matches!(keys.check(demo.key.expose_secret(), NOW).await, Err(AuthError::Disabled)),
        "a start enables nothing"
    );
}
