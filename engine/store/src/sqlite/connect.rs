//! Opens the database file: settings that make an acknowledgement mean durable, and a refusal of
//! files that are not ours.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use engine_privacy::Installation;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::migrate::{self, MigrateError};
use super::{LOCK_PATIENCE, checkpoint, failure, installation};

/// `PRAGMA application_id` of our files: the letters `Tert`.
const APPLICATION_ID: i64 = 0x5465_7274;
/// Statements kept prepared on each connection; more than there are in this module's children.
const STATEMENTS_MAX: usize = 48;

/// Why a database cannot be used. One line, for the person who started the node.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("cannot create the database {}: {error}", path.display())]
    Create { path: PathBuf, error: io::Error },
    #[error("the database {} is a directory", path.display())]
    Directory { path: PathBuf },
    #[error("the file {} is not a Tertulia database", path.display())]
    Foreign { path: PathBuf },
    #[error("the database {} cannot be written", path.display())]
    ReadOnly { path: PathBuf },
    #[error("the database {} cannot keep a write-ahead log: its file system lacks locks or shared memory", path.display())]
    NoWal { path: PathBuf },
    #[error("cannot use the database {}: {error}", path.display())]
    Migrate { path: PathBuf, error: MigrateError },
    #[error("cannot use the database {}: {error}", path.display())]
    Sqlite { path: PathBuf, error: rusqlite::Error },
}

impl OpenError {
    /// Whether the file is to blame, and no waiting helps.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Foreign { .. } => true,
            Self::Sqlite { error, .. } => failure::is_damage(error),
            Self::Migrate { error: MigrateError::Step { error, .. } | MigrateError::Version(error), .. } => {
                failure::is_damage(error)
            }
            _ => false,
        }
    }
}

/// Makes sure there is a file, for its owner alone and durable in its directory; what SQLite puts beside it has
/// the same rights. An existing one is left alone.
pub(super) fn create_file(path: &Path) -> Result<(), OpenError> {
    let create = |error| OpenError::Create { path: path.into(), error };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => {
            file.sync_all().map_err(create)?;
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(directory).and_then(|directory| directory.sync_all()).map_err(create)
        }
        // Not opened here to look at it: closing it would drop the locks this process has on it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if path.is_dir() {
                Err(OpenError::Directory { path: path.into() })
            } else {
                Ok(())
            }
        }
        Err(error) => Err(create(error)),
    }
}

/// The connection that writes, on a database of this program's version. The file must exist: one
/// that vanished while the node ran must not come back empty.
pub(super) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |error| not_a_database(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    connection.busy_timeout(LOCK_PATIENCE).map_err(sqlite)?;
    if connection.is_readonly(rusqlite::MAIN_DB).map_err(sqlite)? {
        return Err(OpenError::ReadOnly { path: path.into() });
    }
    if !is_ours_or_empty(&connection).map_err(sqlite)? {
        return Err(OpenError::Foreign { path: path.into() });
    }
    // The page size counts only while the file is empty, and only before the log mode is set.
    connection.pragma_update(None, "page_size", 8192).map_err(sqlite)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(sqlite)?;
    if mode != "wal" {
        return Err(OpenError::NoWal { path: path.into() });
    }
    connection
        .execute_batch(
            // FULL: one sync at every commit. Checkpoints are the writer's, after it has answered.
            "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = OFF;
             PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;
             -- What is erased is overwritten, not only unlinked.
             PRAGMA secure_delete = ON;",
        )
        .map_err(sqlite)?;
    keep_statements(&connection).map_err(sqlite)?;
    let steps = migrate::migrate(&mut connection, migrate::STEPS)
        .map_err(|error| OpenError::Migrate { path: path.into(), error })?;
    checkpoint::after_opening(&connection, steps > 0).map_err(sqlite)?;
    Ok(connection)
}

/// A connection that only reads. Needs a writer's to have been open before.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let sqlite = |error| not_a_database(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    connection.busy_timeout(LOCK_PATIENCE).map_err(sqlite)?;
    connection.execute_batch("PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY;").map_err(sqlite)?;
    keep_statements(&connection).map_err(sqlite)?;
    Ok(connection)
}

/// Looks whether a file would be opened, beside a process that may have it open, and whose keys it wants; none when it
/// has never had any, or is of an earlier version.
pub(super) fn see(path: &Path) -> Result<Option<Installation>, OpenError> {
    if !path.exists() {
        return Ok(None);
    }
    let sqlite = |error| not_a_database(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    connection.busy_timeout(LOCK_PATIENCE).map_err(sqlite)?;
    if !is_ours_or_empty(&connection).map_err(sqlite)? {
        return Err(OpenError::Foreign { path: path.into() });
    }
    match migrate::is_current(&connection, migrate::STEPS) {
        Ok(true) => installation::named(&connection).map_err(sqlite),
        Ok(false) => Ok(None),
        Err(error) => Err(OpenError::Migrate { path: path.into(), error }),
    }
}

/// Has each statement planned once, by its words alone. SQLite would else plan many of them again at each execution,
/// for the values that they are given, which costs more than to run them.
fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Writes something that changes nothing, durably: shows that the disk takes writes, and settles
/// what a failed commit may have left behind the end of the write-ahead log.
pub(super) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    let version = migrate::version(connection)?;
    connection.execute_batch(&format!("BEGIN IMMEDIATE; PRAGMA user_version = {version}; COMMIT"))
}

fn is_ours_or_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application == APPLICATION_ID {
        return Ok(true);
    }
    let things: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(application == 0 && things == 0 && migrate::version(connection)? == 0)
}

fn not_a_database(path: &Path, error: rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => OpenError::Foreign { path: path.into() },
        _ => OpenError::Sqlite { path: path.into(), error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settling_writes_to_the_log_and_changes_nothing() {
        let directory = super::super::scratch::Scratch::new("settle");
        let path = directory.file();
        create_file(&path).unwrap();
        let connection = open_writer(&path).unwrap();
        let frames = || -> i64 { connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1)).unwrap() };
        let (before, version) = (frames(), migrate::version(&connection).unwrap());
        settle(&connection).unwrap();
        assert!(frames() > before, "a frame was written");
        assert_eq!(migrate::version(&connection).unwrap(), version);
    }

    #[test]
    fn the_settings_hold() {
        let directory = super::super::scratch::Scratch::new("settings");
        let path = directory.file();
        create_file(&path).unwrap();
        let connection = open_writer(&path).unwrap();
        for (pragma, wanted) in
            [("page_size", "8192"), ("journal_mode", "wal"), ("synchronous", "2"), ("application_id", "1415934580")]
        {
            let found: rusqlite::types::Value = connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
            let found = match found {
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Text(text) => text,
                other => panic!("{pragma} is {other:?}"),
            };
            assert_eq!(found, wanted, "{pragma}");
        }
        for connection in [connection, open_reader(&path).unwrap()] {
            assert_eq!(connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG), Ok(true));
        }
    }
}
