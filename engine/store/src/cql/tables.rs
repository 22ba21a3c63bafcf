//! The tables, as steps that lead from one version of the schema to the next.
//! Invariant: only what ScyllaDB and Cassandra both have; a step that has landed is never changed.
//!
//! Ids are blobs: they are compared as bytes then, on both, where a `uuid` of version 7 is not. `log` names one life of
//! a conversation: one that is erased and opened anew under its id has another, so that nothing that is late for the
//! first, whatever its clock says, is met by the second.
//!
//! | table | written | says |
//! |---|---|---|
//! | `conversation` | under conditions alone | which log a conversation has, and the epoch of its owner |
//! | `log` | under conditions alone; removed once it is retired | the events, and beside them whose they are |
//! | `of_tenant` | plainly, before what it points to | which conversations a tenant has |
//! | `of_contact` | plainly, before what it points to | which conversations a contact has |
//! | `agenda`, `agenda_bucket` | plainly, before what it points to | when to look at a conversation |
//! | `snapshot`, `conversation_row` | plainly, the head as their time | what the log says, folded |
//! | `listed`, `listed_day` | plainly, before the row they point to | the order of the list |
//! | `touched`, `writer` | plainly, before the append | which rows a writer may have left behind |
//! | `record`, `record_key` | under conditions alone | documents, and who has a key |
//! | `record_id` | plainly, before what it points to | which documents there are |
//! | `record_key_note` | plainly, before the rows of keys are changed | which of them may have been left in the middle |
//! | `node` | plainly, with an end | which nodes live |
//! | `ending` | plainly, before the log is retired | whose keys have to end |

/// The steps from each version to the next; the first one makes everything.
pub(super) const STEPS: &[&[&str]] = &[&[
    "CREATE TABLE IF NOT EXISTS conversation (tenant blob, id blob, log uuid, epoch bigint, node blob, tail int, contact blob,
        anonymous boolean, opened_at timestamp, PRIMARY KEY ((tenant, id)))",
    "CREATE TABLE IF NOT EXISTS log (log uuid, segment int, seq bigint,
        epoch bigint STATIC, head bigint STATIC, first bigint STATIC, next int STATIC, bytes bigint STATIC,
        last_at timestamp STATIC, due timestamp STATIC, due_mark bigint STATIC,
        w_epoch bigint, format tinyint, body text, sealed blob,
        PRIMARY KEY ((log, segment), seq))
        WITH CLUSTERING ORDER BY (seq ASC) AND compaction = {'class': 'LeveledCompactionStrategy'}",
    "CREATE TABLE IF NOT EXISTS of_tenant (tenant blob, shard tinyint, id blob, log uuid,
        PRIMARY KEY ((tenant, shard), id, log))",
    "CREATE TABLE IF NOT EXISTS of_contact (tenant blob, contact blob, id blob, log uuid,
        PRIMARY KEY ((tenant, contact), id, log))",
    "CREATE TABLE IF NOT EXISTS agenda_bucket (kind tinyint, slot int, shard tinyint, PRIMARY KEY ((kind), slot, shard))
        WITH compaction = {'class': 'LeveledCompactionStrategy'} AND gc_grace_seconds = 3600",
    "CREATE TABLE IF NOT EXISTS agenda (kind tinyint, slot int, shard tinyint, at timestamp, tenant blob, id blob,
        mark bigint, log uuid, epoch bigint, head bigint,
        PRIMARY KEY ((kind, slot, shard), at, tenant, id, mark))
        WITH compaction = {'class': 'LeveledCompactionStrategy'} AND gc_grace_seconds = 3600",
    "CREATE TABLE IF NOT EXISTS snapshot (log uuid PRIMARY KEY, head bigint, body blob)",
    "CREATE TABLE IF NOT EXISTS conversation_row (log uuid PRIMARY KEY, version int, generation int, head bigint,
        contact blob, last_at timestamp, body text, sealed blob)",
    "CREATE TABLE IF NOT EXISTS listed (tenant blob, contact blob, day int, last_at timestamp, id blob, log uuid,
        PRIMARY KEY ((tenant, contact, day), last_at, id, log))
        WITH CLUSTERING ORDER BY (last_at DESC, id DESC, log DESC)
        AND compaction = {'class': 'LeveledCompactionStrategy'} AND gc_grace_seconds = 3600",
    "CREATE TABLE IF NOT EXISTS listed_day (tenant blob, contact blob, day int,
        PRIMARY KEY ((tenant, contact), day)) WITH CLUSTERING ORDER BY (day DESC)",
    "CREATE TABLE IF NOT EXISTS touched (writer uuid, chunk bigint, number bigint, tenant blob, id blob,
        PRIMARY KEY ((writer, chunk), number)) WITH gc_grace_seconds = 3600",
    "CREATE TABLE IF NOT EXISTS writer (part tinyint, id uuid, beat timestamp, done bigint, newest bigint,
        PRIMARY KEY ((part), id)) WITH gc_grace_seconds = 3600",
    "CREATE TABLE IF NOT EXISTS node (part tinyint, id blob, beat bigint, lasts int, address text, version text, owns boolean,
        PRIMARY KEY ((part), id)) WITH gc_grace_seconds = 3600",
    "CREATE TABLE IF NOT EXISTS projection (name text PRIMARY KEY, generation int, version int, walked bigint)",
    "CREATE TABLE IF NOT EXISTS record (scope blob, kind text, id text, version bigint, body blob, stamp uuid,
        life uuid, keys frozen<list<text>>, change uuid, guard uuid, PRIMARY KEY ((scope, kind, id)))",
    "CREATE TABLE IF NOT EXISTS record_id (scope blob, kind text, shard tinyint, id text, life uuid,
        PRIMARY KEY ((scope, kind, shard), id, life)) WITH gc_grace_seconds = 3600",
    "CREATE TABLE IF NOT EXISTS record_key (scope blob, kind text, key text, id text, held uuid, next text, change uuid,
        PRIMARY KEY ((scope, kind, key)))",
    "CREATE TABLE IF NOT EXISTS record_key_note (part tinyint, scope blob, kind text, key text, writing uuid,
        since timestamp, PRIMARY KEY ((part), scope, kind, key, writing)) WITH gc_grace_seconds = 3600",
    "CREATE TABLE IF NOT EXISTS ending (part tinyint, tenant blob, id blob, log uuid, eraser uuid, contact blob,
        PRIMARY KEY ((part), tenant, id, log, eraser)) WITH gc_grace_seconds = 3600",
]];

/// The table of the keys, in a keyspace of its own: backups of the other one can be kept without it, so that what was
/// erased cannot be read in them.
pub(super) const KEY_STEPS: &[&[&str]] = &[&["CREATE TABLE IF NOT EXISTS conversation_key (log uuid PRIMARY KEY,
    wrapped blob, ended boolean) WITH gc_grace_seconds = 86400"]];
