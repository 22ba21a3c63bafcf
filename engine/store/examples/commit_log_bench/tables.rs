//! The tables and statements of all ways, with the columns that events have in the store.

use scylla::client::session::Session;
use scylla::response::query_result::QueryResult;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::{Consistency, SerialConsistency};
use scylla::value::{CqlValue, Row};
use uuid::Uuid;

use crate::{Conversation, Failure};

const TABLES: [&str; 5] = [
    "CREATE TABLE commit_log_bench.plain (log uuid, segment int, seq bigint, epoch bigint STATIC, head bigint STATIC,
         next int STATIC, bytes bigint STATIC, w_epoch bigint, format tinyint, body text, sealed blob,
         PRIMARY KEY ((log, segment), seq)) WITH compaction = {'class': 'LeveledCompactionStrategy'}",
    "CREATE TABLE commit_log_bench.conditional (log uuid, segment int, seq bigint, epoch bigint STATIC,
         head bigint STATIC, next int STATIC, bytes bigint STATIC, w_epoch bigint, format tinyint, body text,
         sealed blob, PRIMARY KEY ((log, segment), seq)) WITH compaction = {'class': 'LeveledCompactionStrategy'}",
    "CREATE TABLE commit_log_bench.folded (log uuid, segment int, seq bigint, w_epoch bigint, format tinyint, body text,
         sealed blob, PRIMARY KEY ((log, segment), seq)) WITH compaction = {'class': 'LeveledCompactionStrategy'}",
    // Of a node: `closed` by whoever holds it for dead, `next` once it is sealed.
    "CREATE TABLE commit_log_bench.shared_rows (writer uuid, part int, segment int, log uuid, seq bigint,
         head bigint STATIC, next int STATIC, closed boolean STATIC, w_epoch bigint, format tinyint, body text,
         sealed blob, PRIMARY KEY ((writer, part, segment), log, seq))",
    "CREATE TABLE commit_log_bench.shared_packed (writer uuid, part int, segment int, position bigint,
         head bigint STATIC, next int STATIC, closed boolean STATIC, events blob,
         PRIMARY KEY ((writer, part, segment), position))",
];

/// What an event has: as many bytes as cql_bench's.
const FORMAT: i8 = 2;
const EPOCH: i64 = 1;
const SEALED: [u8; 60] = [7; 60];

/// A partition of a shared log that is written in.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) writer: Uuid,
    pub(crate) part: i32,
    pub(crate) segment: i32,
    pub(crate) head: i64,
    /// All events of a group in one row.
    pub(crate) is_packed: bool,
}

/// An event that was decided, after which its conversation has this head.
#[derive(Clone, Copy)]
pub(crate) struct Decided {
    pub(crate) log: Uuid,
    pub(crate) seq: i64,
}

pub(crate) struct Tables {
    session: Session,
    body: String,
    write: PreparedStatement,
    open_log: PreparedStatement,
    append: PreparedStatement,
    fold: PreparedStatement,
    rows: Shared,
    packed: Shared,
    event: PreparedStatement,
}

/// The statements of one form of a shared log. `append` stores one row together with the head.
struct Shared {
    open: PreparedStatement,
    seal: PreparedStatement,
    remove: PreparedStatement,
    move_head: PreparedStatement,
    append: PreparedStatement,
}

impl Tables {
    pub(crate) async fn make(session: Session, replicas: u8) -> Result<Self, Failure> {
        session.query_unpaged("DROP KEYSPACE IF EXISTS commit_log_bench", ()).await?;
        let keyspace = format!(
            "CREATE KEYSPACE commit_log_bench
             WITH replication = {{'class': 'NetworkTopologyStrategy', 'replication_factor': {replicas}}}"
        );
        session.query_unpaged(keyspace, ()).await?;
        for table in TABLES {
            session.query_unpaged(table, ()).await?;
        }
        session.await_schema_agreement().await?;
        let prepare = |text: String| {
            let session = &session;
            async move {
                let mut statement = session.prepare(text.replace("BENCH", "commit_log_bench")).await?;
                statement.set_consistency(Consistency::LocalQuorum);
                statement.set_serial_consistency(Some(SerialConsistency::LocalSerial));
                Ok::<_, Failure>(statement)
            }
        };
        let append = "SET head = ?, bytes = ?, w_epoch = ?, format = ?, body = ?, sealed = ?
             WHERE log = ? AND segment = 0 AND seq = ?";
        let event = "(log, segment, seq, w_epoch, format, body, sealed) VALUES (?, 0, ?, ?, ?, ?, ?)";
        let shared = |table: &'static str, row: &'static str| async move {
            let of = format!("BENCH.{table}");
            let place = "WHERE writer = ? AND part = ? AND segment = ?";
            Ok::<_, Failure>(Shared {
                open: prepare(format!("UPDATE {of} SET head = 0 {place} IF head = null")).await?,
                seal: prepare(format!(
                    "UPDATE {of} SET next = ? {place} IF head = ? AND next = null AND closed = null"
                ))
                .await?,
                remove: prepare(format!("DELETE FROM {of} {place}")).await?,
                move_head: prepare(format!(
                    "UPDATE {of} SET head = ? {place} IF head = ? AND next = null AND closed = null"
                ))
                .await?,
                append: prepare(format!(
                    "UPDATE {of} SET head = ?, {row} IF head = ? AND next = null AND closed = null"
                ))
                .await?,
            })
        };
        Ok(Self {
            body: format!(
                r#"{{"at":1000,"author":"contact","fact":{{"type":"message","text":"{}"}}}}"#,
                "the words of a message, as many as people write when they want to know something. ".repeat(2)
            ),
            write: prepare(format!("UPDATE BENCH.plain {append}")).await?,
            open_log: prepare(
                "UPDATE BENCH.conditional SET epoch = 1, head = 0, bytes = 0 WHERE log = ? AND segment = 0
                 IF epoch = null"
                    .into(),
            )
            .await?,
            append: prepare(format!("UPDATE BENCH.conditional {append} IF epoch = 1 AND head = ? AND next = null"))
                .await?,
            fold: prepare(format!("INSERT INTO BENCH.folded {event}")).await?,
            rows: shared(
                "shared_rows",
                "w_epoch = ?, format = ?, body = ?, sealed = ?
                 WHERE writer = ? AND part = ? AND segment = ? AND log = ? AND seq = ?",
            )
            .await?,
            packed: shared(
                "shared_packed",
                "events = ? WHERE writer = ? AND part = ? AND segment = ? AND position = ?",
            )
            .await?,
            event: prepare(
                "INSERT INTO BENCH.shared_rows (writer, part, segment, log, seq, w_epoch, format, body, sealed)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                    .into(),
            )
            .await?,
            session,
        })
    }

    pub(crate) async fn remove(&self) -> Result<(), Failure> {
        self.session.query_unpaged("DROP KEYSPACE commit_log_bench", ()).await?;
        Ok(())
    }

    /// Bytes of an event.
    pub(crate) fn event_bytes(&self) -> usize {
        self.body.len() + SEALED.len()
    }

    pub(crate) async fn open_log(&self, log: Uuid) -> Result<(), Failure> {
        applied(self.session.execute_unpaged(&self.open_log, (log,)).await?)
    }

    /// The next event, plainly.
    pub(crate) async fn write(&self, Conversation { log, head }: Conversation) -> Result<(), Failure> {
        let next = head + 1;
        let values = (next, next * 300, EPOCH, FORMAT, self.body.as_str(), SEALED.as_slice(), log, next);
        self.session.execute_unpaged(&self.write, values).await?;
        Ok(())
    }

    /// The next event, as the store appends it today.
    pub(crate) async fn append(&self, Conversation { log, head }: Conversation) -> Result<(), Failure> {
        let next = head + 1;
        let values = (next, next * 300, EPOCH, FORMAT, self.body.as_str(), SEALED.as_slice(), log, next, head);
        applied(self.session.execute_unpaged(&self.append, values).await?)
    }

    /// Events of one conversation, into its own partition.
    pub(crate) async fn fold(&self, events: &[Decided]) -> Result<(), Failure> {
        let values = |event: &Decided| (event.log, event.seq, EPOCH, FORMAT, self.body.clone(), SEALED.as_slice());
        if let [event] = events {
            self.session.execute_unpaged(&self.fold, values(event)).await?;
            return Ok(());
        }
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_consistency(Consistency::LocalQuorum);
        for _ in events {
            batch.append_statement(self.fold.clone());
        }
        self.session.batch(&batch, events.iter().map(values).collect::<Vec<_>>()).await?;
        Ok(())
    }

    const fn of(&self, is_packed: bool) -> &Shared {
        if is_packed { &self.packed } else { &self.rows }
    }

    pub(crate) async fn open_segment(&self, at: Place) -> Result<(), Failure> {
        let values = (at.writer, at.part, at.segment);
        applied(self.session.execute_unpaged(&self.of(at.is_packed).open, values).await?)
    }

    pub(crate) async fn seal_segment(&self, at: Place) -> Result<(), Failure> {
        let values = (at.segment + 1, at.writer, at.part, at.segment, at.head);
        applied(self.session.execute_unpaged(&self.of(at.is_packed).seal, values).await?)
    }

    pub(crate) async fn remove_segment(&self, at: Place, segment: i32) -> Result<(), Failure> {
        let values = (at.writer, at.part, segment);
        self.session.execute_unpaged(&self.of(at.is_packed).remove, values).await?;
        Ok(())
    }

    /// Events of many conversations, all or none, if the head is still this one.
    pub(crate) async fn append_together(&self, at: Place, events: &[Decided]) -> Result<(), Failure> {
        let Place { writer, part, segment, head, is_packed } = at;
        let next = head + 1;
        let (body, sealed) = (self.body.as_str(), SEALED.as_slice());
        if is_packed {
            let mut packed = Vec::with_capacity(events.len() * (self.event_bytes() + 32));
            for Decided { log, seq } in events {
                packed.extend_from_slice(log.as_bytes());
                packed.extend_from_slice(&seq.to_be_bytes());
                packed.extend_from_slice(&EPOCH.to_be_bytes());
                packed.extend_from_slice(body.as_bytes());
                packed.extend_from_slice(sealed);
            }
            let values = (next, packed, writer, part, segment, next, head);
            return applied(self.session.execute_unpaged(&self.packed.append, values).await?);
        }
        if let [Decided { log, seq }] = events {
            let values = (next, EPOCH, FORMAT, body, sealed, writer, part, segment, *log, *seq, head);
            return applied(self.session.execute_unpaged(&self.rows.append, values).await?);
        }
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_consistency(Consistency::LocalQuorum);
        batch.set_serial_consistency(Some(SerialConsistency::LocalSerial));
        batch.append_statement(self.rows.move_head.clone());
        let mut values: Vec<Box<dyn scylla::serialize::row::SerializeRow + Send + Sync + '_>> =
            vec![Box::new((next, writer, part, segment, head))];
        for Decided { log, seq } in events {
            batch.append_statement(self.event.clone());
            values.push(Box::new((writer, part, segment, *log, *seq, EPOCH, FORMAT, body, sealed)));
        }
        applied(self.session.batch(&batch, values).await?)
    }
}

fn applied(answer: QueryResult) -> Result<(), Failure> {
    let row = answer.into_rows_result()?.first_row::<Row>()?;
    match row.columns.first() {
        Some(Some(CqlValue::Boolean(true))) => Ok(()),
        _ => Err("a condition did not hold".into()),
    }
}
