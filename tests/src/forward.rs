//! Ports that a store of tests passes on, unchanged, to the one behind it: its field `store`.

/// `forward!(DueIndex for Moody);` implements the port by the store in the field `store`; `forward!(erase, ending,
/// with_contacts, unspoken, probe);`, inside of `impl Log`, and `forward!(put, put_with_keys, delete);`, inside of `impl Records`, what few
/// stores of tests do differently.
#[macro_export]
macro_rules! forward {
    (erase, ending, with_contacts, unspoken, probe) => {
        fn erase(&self, key: schema::ConversationKey, head: Option<schema::Seq>) -> engine_store::Pending<()> {
            self.store.erase(key, head)
        }

        fn ending(
            &self,
            tenant: schema::TenantId,
            contacts: Vec<schema::ContactId>,
            limit: usize,
        ) -> engine_store::Pending<Vec<schema::ConversationKey>> {
            self.store.ending(tenant, contacts, limit)
        }

        fn with_contacts(
            &self,
            tenant: schema::TenantId,
            contacts: Vec<schema::ContactId>,
            limit: usize,
        ) -> engine_store::Pending<Vec<schema::ConversationKey>> {
            self.store.with_contacts(tenant, contacts, limit)
        }

        fn unspoken(&self, query: engine_store::UnspokenQuery) -> engine_store::Pending<Vec<engine_store::Unspoken>> {
            self.store.unspoken(query)
        }

        fn probe(&self) -> engine_store::Pending<()> {
            self.store.probe()
        }
    };
    (put, put_with_keys, delete) => {
        fn put(&self, name: engine_store::RecordName, expected: u64, body: Vec<u8>) -> engine_store::Pending<u64> {
            self.store.put(name, expected, body)
        }

        fn put_with_keys(
            &self,
            name: engine_store::RecordName,
            expected: u64,
            body: Vec<u8>,
            keys: engine_store::RecordKeys,
        ) -> engine_store::Pending<u64> {
            self.store.put_with_keys(name, expected, body, keys)
        }

        fn delete(&self, name: engine_store::RecordName, expected: u64) -> engine_store::Pending<()> {
            self.store.delete(name, expected)
        }
    };
    (DueIndex for $store:ty) => {
        impl engine_store::DueIndex for $store {
            fn due(&self, query: engine_store::DueQuery) -> engine_store::Pending<Vec<engine_store::DueEntry>> {
                self.store.due(query)
            }

            fn reschedule(&self, change: engine_store::Reschedule) -> engine_store::Pending<()> {
                self.store.reschedule(change)
            }

            fn hasten(&self, hasten: engine_store::Hasten) -> engine_store::Pending<Option<engine_store::Hastened>> {
                self.store.hasten(hasten)
            }
        }
    };
    (Snapshots for $store:ty) => {
        impl engine_store::Snapshots for $store {
            fn snapshot(&self, key: schema::ConversationKey) -> engine_store::Pending<Option<engine_store::Snapshot>> {
                self.store.snapshot(key)
            }

            fn set_snapshot(
                &self,
                key: schema::ConversationKey,
                epoch: schema::Epoch,
                head: schema::Seq,
                bytes: Vec<u8>,
            ) -> engine_store::Pending<bool> {
                self.store.set_snapshot(key, epoch, head, bytes)
            }
        }
    };
    (Seals for $store:ty) => {
        impl engine_store::Seals for $store {
            fn seal(
                &self,
                key: schema::ConversationKey,
                notes: Vec<engine_store::Note>,
            ) -> engine_store::Pending<Vec<engine_store::Note>> {
                self.store.seal(key, notes)
            }

            fn unseal(
                &self,
                key: schema::ConversationKey,
                notes: Vec<engine_store::Note>,
            ) -> engine_store::Pending<Option<Vec<engine_store::Note>>> {
                self.store.unseal(key, notes)
            }

            fn rewrite(&self) -> engine_store::Pending<()> {
                self.store.rewrite()
            }
        }
    };
    (Projections for $store:ty) => {
        impl engine_store::Projections for $store {
            fn cursor(&self, projection: engine_store::Projection) -> engine_store::Pending<engine_store::LogCursor> {
                self.store.cursor(projection)
            }

            fn behind(
                &self,
                projection: engine_store::Projection,
                after: engine_store::LogCursor,
                events: usize,
            ) -> engine_store::Pending<engine_store::Behind> {
                self.store.behind(projection, after, events)
            }

            fn advance(
                &self,
                projection: engine_store::Projection,
                cursor: engine_store::LogCursor,
            ) -> engine_store::Pending<()> {
                self.store.advance(projection, cursor)
            }

            fn reset(&self, projection: engine_store::Projection) -> engine_store::Pending<()> {
                self.store.reset(projection)
            }

            fn rows(
                &self,
                keys: Vec<schema::ConversationKey>,
            ) -> engine_store::Pending<Vec<Result<Option<engine_store::ConversationRow>, engine_store::StoreError>>>
            {
                self.store.rows(keys)
            }

            fn project(
                &self,
                key: schema::ConversationKey,
                expected: schema::Seq,
                row: engine_store::ConversationRow,
            ) -> engine_store::Pending<()> {
                self.store.project(key, expected, row)
            }

            fn list(
                &self,
                query: engine_store::ListQuery,
            ) -> engine_store::Pending<Vec<schema::wire::ConversationSummary>> {
                self.store.list(query)
            }
        }
    };
}
