//! What it costs to list contacts who were merged: each family is put together once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actors::{Contacts, SystemClock};
use engine_store::memory::MemoryStore;
use engine_store::{Pending, Record, RecordName, Records, Scope};
use schema::{ChangedBy, ContactId, TenantId};

/// Records that count what is asked of them.
#[derive(Default)]
struct Counted {
    store: MemoryStore,
    asked: AtomicUsize,
}

impl Records for Counted {
    tests::forward!(put, put_with_keys, delete);

    fn get(&self, name: RecordName) -> Pending<Option<Record>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.store.get(name)
    }

    fn find(&self, scope: Scope, kind: &'static str, key: String) -> Pending<Option<Record>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.store.find(scope, kind, key)
    }

    fn scan(&self, scope: Scope, kind: &'static str, after: Option<String>, limit: usize) -> Pending<Vec<Record>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.store.scan(scope, kind, after, limit)
    }
}

#[tokio::test]
async fn a_page_of_contacts_costs_a_few_reads_each_however_they_were_merged() {
    for (what, is_chain) in [("a star", false), ("a chain", true)] {
        let records = Arc::<Counted>::default();
        let contacts = Contacts::new(Arc::clone(&records) as Arc<dyn Records>, Arc::new(SystemClock));
        let tenant = TenantId::generate();
        let mut ids: Vec<ContactId> = Vec::new();
        for n in 0..30 {
            ids.push(contacts.named(tenant, &format!("contact {n}").parse().unwrap()).await.unwrap().own);
        }
        // The last one goes on for all: each is merged into it, or into the next.
        for n in 0..29 {
            let into = if is_chain { ids[n + 1] } else { ids[29] };
            contacts.merge(tenant, into, ids[n], &"key 1".parse::<ChangedBy>().unwrap()).await.unwrap();
        }
        records.asked.store(0, Ordering::Relaxed);
        let list = contacts.list(tenant, None, 100).await.unwrap();
        assert_eq!(list.contacts.iter().map(|contact| contact.id).collect::<Vec<_>>(), [ids[29]], "{what}");
        let asked = records.asked.load(Ordering::Relaxed);
        assert!(asked <= 3 * ids.len(), "{what}: {asked} reads for {} contacts", ids.len());
    }
}
