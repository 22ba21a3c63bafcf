//! What the store itself holds of a conversation: whose it is, and under which epoch each of its events was written.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use schema::ConversationId;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use uuid::Uuid;

/// A look into the store's tables, beside the nodes.
pub(super) struct Tables(Session);

/// The events of a log, by who wrote them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Epochs {
    /// Events.
    pub(super) events: usize,
    /// Epochs that wrote at least one of them.
    pub(super) owners: usize,
    /// Events that were written under an epoch older than one before them: by an owner who was none any more.
    pub(super) by_zombies: usize,
}

impl Epochs {
    /// Of a log's epochs, in the order of its events.
    pub(super) fn of(log: impl IntoIterator<Item = i64>) -> Self {
        let (mut epochs, mut newest) = (Self::default(), None);
        for epoch in log {
            epochs.events += 1;
            match newest {
                Some(newest) if epoch < newest => epochs.by_zombies += 1,
                Some(newest) if epoch == newest => {}
                _ => {
                    epochs.owners += 1;
                    newest = Some(epoch);
                }
            }
        }
        epochs
    }
}

impl Tables {
    /// Opens them.
    pub(super) async fn open(points: &[SocketAddr], keyspace: &str) -> Result<Self> {
        let session = SessionBuilder::new().known_nodes_addr(points).use_keyspace(keyspace, false);
        Ok(Self(session.build().await?))
    }

    /// Nodes by the address at which others reach them; of several that had one, the newest.
    pub(super) async fn nodes(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let rows = self.0.query_unpaged("SELECT address, id, WRITETIME(beat) FROM node WHERE part = 0", ()).await?;
        let rows = rows.into_rows_result()?;
        let mut signs = Vec::new();
        for row in rows.rows::<(Option<String>, Vec<u8>, Option<i64>)>()? {
            let (address, id, at) = row?;
            signs.extend(address.zip(at).map(|(address, at)| (at, address, id)));
        }
        signs.sort();
        Ok(signs.into_iter().map(|(_, address, id)| (address, id)).collect())
    }

    /// The node whose a conversation is.
    pub(super) async fn owner(&self, id: ConversationId) -> Result<Option<Vec<u8>>> {
        let rows = self
            .0
            .query_unpaged("SELECT node FROM conversation WHERE id = ? ALLOW FILTERING", (id.as_bytes().as_slice(),));
        let rows = rows.await?.into_rows_result()?;
        Ok(rows.maybe_first_row::<(Option<Vec<u8>>,)>()?.and_then(|(node,)| node))
    }

    /// Under which epochs its log was written.
    pub(super) async fn epochs(&self, id: ConversationId) -> Result<Epochs> {
        let place = "SELECT log, tail FROM conversation WHERE id = ? ALLOW FILTERING";
        let rows = self.0.query_unpaged(place, (id.as_bytes().as_slice(),)).await?.into_rows_result()?;
        let (log, tail) = rows.maybe_first_row::<(Uuid, Option<i32>)>()?.context("there is no such conversation")?;
        let mut events = BTreeMap::new();
        // The newest segment may lie behind what is noted for the tail.
        for segment in 0.. {
            let statement = "SELECT seq, w_epoch FROM log WHERE log = ? AND segment = ?";
            let rows = self.0.query_unpaged(statement, (log, segment)).await?.into_rows_result()?;
            if segment > tail.unwrap_or_default() && rows.rows_num() == 0 {
                break;
            }
            for row in rows.rows::<(Option<i64>, Option<i64>)>()? {
                let (seq, epoch) = row?;
                events.extend(seq.zip(epoch));
            }
        }
        Ok(Epochs::of(events.into_values()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_an_older_epoch_was_written_by_nobody_who_might() {
        for (log, events, owners, by_zombies) in
            [(&[][..], 0, 0, 0), (&[1, 1, 2, 2, 5], 5, 3, 0), (&[1, 2, 1, 2], 4, 2, 1), (&[3, 2, 2, 4], 4, 2, 2)]
        {
            assert_eq!(Epochs::of(log.iter().copied()), Epochs { events, owners, by_zombies }, "{log:?}");
        }
    }
}
