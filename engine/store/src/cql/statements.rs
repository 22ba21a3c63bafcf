//! All statements, each once, with its class. Invariant: whatever is sent to the cluster stands here, in `tables.rs`, or
//! in the two files that set the tables up; a test reads them for words that only one product knows.

use futures_util::future::try_join_all;
use scylla::statement::prepared::PreparedStatement;

use super::session::{Class, Link};
use crate::StoreError;

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident: $class:ident = $text:expr;)*) => {
        /// The statements, ready to be sent.
        pub(super) struct Statements {
            $($(#[$doc])* pub(super) $name: PreparedStatement,)*
        }

        impl Statements {
            /// Makes all of them ready, for the tables of a keyspace and of that of the keys.
            ///
            /// # Errors
            /// As [`Link::prepare`].
            pub(super) async fn prepare(link: &Link, data: &str, keys: &str) -> Result<Self, StoreError> {
                let texts = [$((Class::$class, $text)),*].map(|(class, text)| (class, qualified(text, data, keys)));
                let prepared = try_join_all(texts.iter().map(|(class, text)| link.prepare(*class, text))).await?;
                let mut prepared = prepared.into_iter();
                let mut next = || {
                    prepared.next().ok_or_else(|| StoreError::Unavailable("a statement was not prepared".into()))
                };
                Ok(Self { $($name: next()?,)* })
            }
        }

        /// All of them with their classes.
        #[cfg(test)]
        pub(super) const TEXTS: &[(Class, &str)] = &[$((Class::$class, $text)),*];
    };
}

/// The statement with the keyspace before the name of its table, so that it means the same in every session.
pub(super) fn qualified(text: &str, data: &str, keys: &str) -> String {
    let table = ["FROM ", "INTO ", "UPDATE "].iter().find_map(|word| text.find(word).map(|at| at + word.len()));
    let (before, table) = text.split_at(table.unwrap_or_default());
    if table.starts_with("system.") {
        return text.to_owned();
    }
    match table.strip_prefix("KEYS.") {
        Some(table) => format!("{before}{keys}.{table}"),
        None => format!("{before}{data}.{table}"),
    }
}

statements! {
    // What time it is at one of the hosts.
    time: Read = "SELECT now() FROM system.local";
    // Which log a conversation has, and whose it is.
    owner: Serial =
        "SELECT log, epoch, node, tail, contact, anonymous, opened_at FROM conversation WHERE tenant = ? AND id = ?";
    owner_lately: Read =
        "SELECT log, epoch, node, tail, contact, anonymous, opened_at FROM conversation WHERE tenant = ? AND id = ?";
    open: Conditional =
        "INSERT INTO conversation (tenant, id, log, epoch, node, tail, contact, anonymous, opened_at)
         VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?) IF NOT EXISTS";
    claim: Conditional =
        "UPDATE conversation SET epoch = ?, node = ? WHERE tenant = ? AND id = ? IF log = ? AND epoch = ?";
    move_tail: Conditional =
        "UPDATE conversation SET tail = ? WHERE tenant = ? AND id = ? IF log = ? AND epoch = ?";
    forget: Conditional = "DELETE FROM conversation WHERE tenant = ? AND id = ? IF log = ?";
    walk: Read = "SELECT tenant, id, token(tenant, id) FROM conversation WHERE token(tenant, id) > ? LIMIT ?";

    // A segment of a log, and the events in it.
    segment: Serial =
        "SELECT epoch, head, first, next, bytes, last_at, due, due_mark FROM log WHERE log = ? AND segment = ? LIMIT 1";
    segment_lately: Read =
        "SELECT epoch, head, first, next, bytes, last_at, due, due_mark FROM log WHERE log = ? AND segment = ? LIMIT 1";
    open_segment: Conditional =
        "UPDATE log SET epoch = ?, head = ?, first = ?, bytes = 0, last_at = ?, due = ?, due_mark = ?
         WHERE log = ? AND segment = ? IF epoch = null";
    fence: Conditional = "UPDATE log SET epoch = ? WHERE log = ? AND segment = ? IF epoch = ? AND next = null";
    fence_at: Conditional =
        "UPDATE log SET epoch = ? WHERE log = ? AND segment = ? IF epoch = ? AND head = ? AND next = null";
    retire_unopened: Conditional = "UPDATE log SET epoch = ? WHERE log = ? AND segment = ? IF epoch = null";
    seal: Conditional =
        "UPDATE log SET next = ? WHERE log = ? AND segment = ? IF epoch = ? AND head = ? AND next = null";
    append: Conditional =
        "UPDATE log SET head = ?, bytes = ?, last_at = ?, due = ?, due_mark = ?,
             w_epoch = ?, format = ?, body = ?, sealed = ?
         WHERE log = ? AND segment = ? AND seq = ? IF epoch = ? AND head = ? AND next = null";
    append_under: Conditional =
        "UPDATE log SET head = ?, bytes = ?, last_at = ?, due = ?, due_mark = ?,
             w_epoch = ?, format = ?, body = ?, sealed = ?
         WHERE log = ? AND segment = ? AND seq = ?
         IF epoch = ? AND head = ? AND next = null AND due = ? AND due_mark = ?";
    move_head: Conditional =
        "UPDATE log SET head = ?, bytes = ?, last_at = ?, due = ?, due_mark = ? WHERE log = ? AND segment = ?
         IF epoch = ? AND head = ? AND next = null";
    move_head_under: Conditional =
        "UPDATE log SET head = ?, bytes = ?, last_at = ?, due = ?, due_mark = ? WHERE log = ? AND segment = ?
         IF epoch = ? AND head = ? AND next = null AND due = ? AND due_mark = ?";
    event: Conditional =
        "INSERT INTO log (log, segment, seq, w_epoch, format, body, sealed) VALUES (?, ?, ?, ?, ?, ?, ?)";
    set_due: Conditional =
        "UPDATE log SET due = ?, due_mark = ? WHERE log = ? AND segment = ?
         IF epoch = ? AND head = ? AND next = null AND due = ? AND due_mark = ?";
    events: Read =
        "SELECT seq, format, body, sealed FROM log WHERE log = ? AND segment = ? AND seq > ? ORDER BY seq ASC";
    event_serial: Serial = "SELECT w_epoch, body, sealed FROM log WHERE log = ? AND segment = ? AND seq = ?";
    clear_segment: Write = "DELETE FROM log WHERE log = ? AND segment = ?";

    // Which conversations a tenant has.
    note_of_tenant: Write = "INSERT INTO of_tenant (tenant, shard, id, log) VALUES (?, ?, ?, ?)";
    drop_of_tenant: Write = "DELETE FROM of_tenant WHERE tenant = ? AND shard = ? AND id = ? AND log = ?";
    of_tenant: Read = "SELECT id, log FROM of_tenant WHERE tenant = ? AND shard = ? AND id > ? ORDER BY id ASC LIMIT ?";

    // Which conversations a contact has.
    note_of_contact: Write = "INSERT INTO of_contact (tenant, contact, id, log) VALUES (?, ?, ?, ?)";
    drop_of_contact: Write = "DELETE FROM of_contact WHERE tenant = ? AND contact = ? AND id = ? AND log = ?";
    any_of_contact: Read = "SELECT log FROM of_contact WHERE tenant = ? AND contact = ? LIMIT 1";
    of_contact: Read = "SELECT id, log FROM of_contact WHERE tenant = ? AND contact = ?";

    // When to look at a conversation.
    note_bucket: Write = "INSERT INTO agenda_bucket (kind, slot, shard) VALUES (?, ?, ?)";
    drop_bucket: Write = "DELETE FROM agenda_bucket WHERE kind = ? AND slot = ? AND shard = ?";
    buckets: Read = "SELECT slot, shard FROM agenda_bucket WHERE kind = ? AND slot >= ? AND slot <= ?";
    note_agenda: Write =
        "INSERT INTO agenda (kind, slot, shard, at, tenant, id, mark, log, epoch, head)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    drop_agenda: Write =
        "DELETE FROM agenda WHERE kind = ? AND slot = ? AND shard = ? AND at = ? AND tenant = ? AND id = ? AND mark = ?";
    agenda: Read =
        "SELECT at, tenant, id, mark, log, epoch, head, WRITETIME(log) FROM agenda
         WHERE kind = ? AND slot = ? AND shard = ? AND (at, tenant, id, mark) > (?, ?, ?, ?) LIMIT ?";
    agenda_from: Read =
        "SELECT at, tenant, id, mark, log, epoch, head, WRITETIME(log) FROM agenda
         WHERE kind = ? AND slot = ? AND shard = ? LIMIT ?";

    // What the log says, folded.
    snapshot: Read = "SELECT head, body FROM snapshot WHERE log = ?";
    snapshot_head: Read = "SELECT head, WRITETIME(body) FROM snapshot WHERE log = ?";
    set_snapshot: Write = "INSERT INTO snapshot (log, head, body) VALUES (?, ?, ?)";
    drop_snapshot: Write = "DELETE FROM snapshot WHERE log = ?";
    row: Read =
        "SELECT version, generation, head, contact, last_at, body, sealed FROM conversation_row WHERE log = ?";
    set_row: Write =
        "INSERT INTO conversation_row (log, version, generation, head, contact, last_at, body, sealed)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    drop_row: Write = "DELETE FROM conversation_row WHERE log = ?";

    // The order of the list.
    note_listed: Write = "INSERT INTO listed (tenant, contact, day, last_at, id, log) VALUES (?, ?, ?, ?, ?, ?)";
    drop_listed: Write =
        "DELETE FROM listed WHERE tenant = ? AND contact = ? AND day = ? AND last_at = ? AND id = ? AND log = ?";
    listed: Read =
        "SELECT last_at, id, log FROM listed
         WHERE tenant = ? AND contact = ? AND day = ? AND (last_at, id) < (?, ?)
         ORDER BY last_at DESC, id DESC, log DESC LIMIT ?";
    listed_newest: Read =
        "SELECT last_at, id, log FROM listed WHERE tenant = ? AND contact = ? AND day = ?
         ORDER BY last_at DESC, id DESC, log DESC LIMIT ?";
    note_day: Write = "INSERT INTO listed_day (tenant, contact, day) VALUES (?, ?, ?)";
    drop_day: Write = "DELETE FROM listed_day WHERE tenant = ? AND contact = ? AND day = ?";
    drop_days: Write = "DELETE FROM listed_day WHERE tenant = ? AND contact = ?";
    days: Read = "SELECT day FROM listed_day WHERE tenant = ? AND contact = ? ORDER BY day DESC";

    // Which rows a writer may have left behind.
    note_touched: Write = "INSERT INTO touched (writer, chunk, number, tenant, id) VALUES (?, ?, ?, ?, ?)";
    touched: Read =
        "SELECT number, tenant, id FROM touched WHERE writer = ? AND chunk = ? AND number > ?
         ORDER BY number ASC LIMIT ?";
    drop_touched: Write = "DELETE FROM touched WHERE writer = ? AND chunk = ? AND number <= ?";
    beat: Write = "INSERT INTO writer (part, id, beat, done, newest) VALUES (0, ?, ?, ?, ?)";
    writers: Read = "SELECT id, beat, done, newest, WRITETIME(beat) FROM writer WHERE part = 0";
    drop_writer: Write = "DELETE FROM writer WHERE part = 0 AND id = ?";
    projection: Serial = "SELECT generation, version, walked FROM projection WHERE name = ?";
    open_projection: Conditional =
        "INSERT INTO projection (name, generation, version, walked) VALUES (?, ?, ?, ?) IF NOT EXISTS";
    set_projection: Conditional =
        "UPDATE projection SET generation = ?, version = ?, walked = ? WHERE name = ?
         IF generation = ? AND version = ? AND walked = ?";

    // Which nodes live.
    leave_beat: Write =
        "INSERT INTO node (part, id, beat, lasts, address, version, owns) VALUES (0, ?, ?, ?, ?, ?, ?) USING TTL ?";
    beats: Read = "SELECT id, beat, lasts, address, version, owns, TTL(beat) FROM node WHERE part = 0 LIMIT ?";

    // Documents, and who has a key. What a removal leaves behind goes by itself.
    record: Read = "SELECT version, body, keys, change FROM record WHERE scope = ? AND kind = ? AND id = ?";
    record_head: Serial =
        "SELECT version, stamp, life, keys, change, guard FROM record WHERE scope = ? AND kind = ? AND id = ?";
    record_head_lately: Read =
        "SELECT version, stamp, life, keys, change, guard FROM record WHERE scope = ? AND kind = ? AND id = ?";
    create_record: Conditional =
        "UPDATE record SET version = 1, body = ?, stamp = ?, life = ? WHERE scope = ? AND kind = ? AND id = ?
         IF version = null AND guard = ?";
    change_record: Conditional =
        "UPDATE record SET version = ?, body = ?, stamp = ? WHERE scope = ? AND kind = ? AND id = ?
         IF version = ? AND life = ?";
    key_record: Conditional =
        "UPDATE record SET version = ?, body = ?, stamp = ?, life = ?, keys = ?, change = ?, guard = ?
         WHERE scope = ? AND kind = ? AND id = ? IF version = ? AND life = ? AND guard = ?";
    clear_record: Conditional =
        "UPDATE record USING TTL 86400
         SET version = null, body = null, stamp = null, life = null, keys = null, change = null, guard = ?
         WHERE scope = ? AND kind = ? AND id = ? IF version = ? AND life = ? AND guard = ?";
    fence_record: Conditional =
        "UPDATE record USING TTL 86400 SET guard = ? WHERE scope = ? AND kind = ? AND id = ? IF guard = ?";
    note_record: Write = "INSERT INTO record_id (scope, kind, shard, id, life) VALUES (?, ?, ?, ?, ?)";
    drop_record: Write =
        "DELETE FROM record_id WHERE scope = ? AND kind = ? AND shard = ? AND id = ? AND life = ?";
    records: Read =
        "SELECT id FROM record_id WHERE scope = ? AND kind = ? AND shard = ? AND id >= ? ORDER BY id ASC LIMIT ?";
    record_key: Serial =
        "SELECT id, held, next, change FROM record_key WHERE scope = ? AND kind = ? AND key = ?";
    record_key_lately: Read =
        "SELECT id, held, next, change FROM record_key WHERE scope = ? AND kind = ? AND key = ?";
    want_key: Conditional =
        "UPDATE record_key SET next = ?, change = ? WHERE scope = ? AND kind = ? AND key = ?
         IF id = ? AND held = ? AND change = null";
    give_key: Conditional =
        "UPDATE record_key SET id = ?, held = ?, next = null, change = null
         WHERE scope = ? AND kind = ? AND key = ? IF change = ?";
    leave_key: Conditional =
        "UPDATE record_key SET next = null, change = null WHERE scope = ? AND kind = ? AND key = ? IF change = ?";
    free_key: Conditional =
        "UPDATE record_key SET id = null, held = null WHERE scope = ? AND kind = ? AND key = ?
         IF id = ? AND held = ? AND change = null";

    // Keys whose rows are being changed.
    note_key: Write = "INSERT INTO record_key_note (part, scope, kind, key, writing, since) VALUES (?, ?, ?, ?, ?, ?)";
    drop_key_note: Write =
        "DELETE FROM record_key_note WHERE part = ? AND scope = ? AND kind = ? AND key = ? AND writing = ?";
    key_notes: Read = "SELECT scope, kind, key, writing, since FROM record_key_note WHERE part = ?";

    // Whose keys have to end, and the keys.
    note_ending: Write = "INSERT INTO ending (part, tenant, id, log, eraser, contact) VALUES (?, ?, ?, ?, ?, ?)";
    drop_ending: Write = "DELETE FROM ending WHERE part = ? AND tenant = ? AND id = ? AND log = ? AND eraser = ?";
    ending_of: Read = "SELECT log, eraser, contact FROM ending WHERE part = ? AND tenant = ? AND id = ?";
    ending_with: Read = "SELECT id, log, contact FROM ending WHERE part = ? AND tenant = ?";
    ending: Read = "SELECT tenant, id, log, eraser, contact FROM ending WHERE part = ?";
    key: Read = "SELECT wrapped, ended FROM KEYS.conversation_key WHERE log = ?";
    make_key: Write = "INSERT INTO KEYS.conversation_key (log, wrapped) VALUES (?, ?)";
    end_key: WriteAll = "INSERT INTO KEYS.conversation_key (log, wrapped, ended) VALUES (?, null, true)";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_names_the_keyspace_of_its_table_once() {
        for (_, text) in TEXTS.iter().filter(|(_, text)| !text.contains("FROM system.")) {
            let plain = qualified(text, "data", "data_keys");
            let named = plain.matches("data.").count() + plain.matches("data_keys.").count();
            assert_eq!(named, 1, "{plain}");
            assert_eq!(text.contains("KEYS."), plain.contains("data_keys."), "{plain}");
            assert_eq!(plain.replace("data_keys.", "KEYS.").replace("data.", ""), **text);
        }
        assert_eq!(qualified("UPDATE log SET head = ?", "a", "b"), "UPDATE a.log SET head = ?");
        assert_eq!(qualified("DELETE FROM log WHERE log = ?", "a", "b"), "DELETE FROM a.log WHERE log = ?");
    }
}
