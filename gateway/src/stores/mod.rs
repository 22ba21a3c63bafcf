//! Opens the store that the configuration names, and what comes with it: the data directory, locked, and the secrets.
//! The one place that names stores.

mod tls;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::{Clock, SystemClock};
use engine_cluster::SignKey;
use engine_config::{Config, Store, StoreUrl};
use engine_privacy::{FileKeys, KeysError};
use engine_store::cql::{CqlOptions, CqlStore, StoreClock, Written};
use engine_store::sqlite::{SqliteOptions, SqliteStore};
use engine_store::{Nodes, SharedStore, StoreError};
use schema::{NodeId, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::datadir::{self, ClusterDir, DataDir, DataDirError};
use crate::secret::{Key, derived_api_key};

pub use tls::TlsError;
pub(crate) use tls::trusting_system;

/// How often locks are looked at that another process has.
const LOCKS_AGAIN: Duration = Duration::from_millis(2);

/// Why a store cannot be opened, in one line for whoever named it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("the store cannot be opened: {}", plain(.0))]
    Store(#[from] StoreError),
    #[error("the store cannot be opened: {0}")]
    Tls(#[from] TlsError),
    #[error(
        "the store cannot be opened: the cluster has no tables in the keyspace {0:?}, which the data directory belongs to: see that TERTULIA_STORE names its hosts"
    )]
    NotThere(String),
}

/// A directory that nobody may have made yet, or one that a node has left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// It is made where there is none.
    New,
    /// It has to be there.
    Existing,
}

/// An open store, in a data directory that nobody else has open while this lives.
pub struct Opened {
    /// Everything that is kept.
    pub store: SharedStore,
    /// What time it is for all who share it.
    pub clock: Arc<dyn Clock>,
    /// The data directory, as it was given.
    pub path: PathBuf,
    /// Where the demo tenant's key is kept.
    pub demo_file: PathBuf,
    /// What it is at first; none where it is drawn at random.
    pub demo_key: Option<SecretString>,
    /// The key under which API keys are hashed.
    pub pepper: Key,
    /// The key that seals visitors' tokens.
    pub token_key: Key,
    /// The key for `/v1/admin`.
    pub admin_key: SecretString,
    /// What it has in common with other nodes; none where the store is its own.
    pub shared: Option<Shared>,
    /// Ends the store.
    pub closing: Closing,
}

/// What the nodes of an installation have in common through their store.
pub struct Shared {
    /// As what this node claims, and leaves signs of life.
    pub node: NodeId,
    /// The one that had this data directory before: it runs no more, as only one at a time can have it.
    pub before: Option<NodeId>,
    /// Has somebody told of each record that is written here.
    pub on_record: Box<dyn FnOnce(Written) -> bool + Send>,
    /// Where it leaves them.
    pub nodes: Arc<dyn Nodes>,
    /// What the installation is called among others that share the same Redis.
    pub installation: String,
    /// What all its nodes know, and nobody else.
    pub secret: Key,
    /// By what its nodes' signs of life in Redis are known from others'.
    pub sign_key: SignKey,
}

/// The time of a store that many nodes share.
struct OfStore(Arc<StoreClock>);

impl Clock for OfStore {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// Ends a store, and then gives its data directory back.
pub struct Closing(Kind);

enum Kind {
    Sqlite(Arc<SqliteStore>, DataDir),
    Cql(Arc<CqlStore>, ClusterDir),
}

impl Closing {
    /// Whatever still holds the store has nothing more to say: what is embedded is left as one whole file. Blocks.
    pub fn close(self) {
        match self.0 {
            Kind::Sqlite(store, _data) => store.close(),
            Kind::Cql(store, _data) => store.close(),
        }
    }
}

/// Opens what the configuration names.
///
/// # Errors
/// The first thing that is missing.
pub async fn open(config: &Config, directory: Folder) -> Result<Opened, OpenError> {
    open_within(config, directory, Duration::ZERO).await
}

/// As [`open`], waiting for so long until another process gives back the directory and its keys: of one that has closed
/// its store the system gives back what it had locked one thing after the other, and it may not have ended.
///
/// # Errors
/// As [`open`].
pub(crate) async fn open_within(config: &Config, directory: Folder, patience: Duration) -> Result<Opened, OpenError> {
    match &config.store.url {
        StoreUrl::Sqlite => open_sqlite(config, directory, patience),
        StoreUrl::Cql { contact_points, keyspace } => {
            open_cql(config, contact_points, keyspace, directory, patience).await
        }
    }
}

/// Tries again for so long while another process still has it. Blocks, as all of opening does.
fn patiently<T, E>(patience: Duration, in_use: impl Fn(&E) -> bool, open: impl Fn() -> Result<T, E>) -> Result<T, E> {
    let began = Instant::now();
    loop {
        match open() {
            Err(error) if in_use(&error) && began.elapsed() < patience => std::thread::sleep(LOCKS_AGAIN),
            opened => return opened,
        }
    }
}

fn is_in_use(error: &DataDirError) -> bool {
    matches!(error, DataDirError::InUse { .. })
}

/// Sees whether this program could open what the configuration names, while another process has it open. Blocks, on a
/// thread that serves no futures.
///
/// # Errors
/// The first thing that is in its way.
pub(crate) fn see(config: &Config) -> Result<(), OpenError> {
    match &config.store.url {
        StoreUrl::Sqlite => {
            DataDir::see(&config.data)?;
            if let Some(installation) = SqliteStore::see(&datadir::store_file(&config.data))? {
                let keys = datadir::keys_file(&config.data, config.store.keys.as_deref());
                FileKeys::see(&keys, installation).map_err(DataDirError::from)?;
            }
            Ok(())
        }
        StoreUrl::Cql { contact_points, keyspace } => {
            let belongs = ClusterDir::see(&config.data, keyspace)?;
            let root_key = ClusterDir::root_key_file_of(&config.data, config.store.keys.as_deref());
            let options = cql_options(&config.store, NodeId::generate(), contact_points, keyspace, root_key)?;
            match CqlStore::see(&options)? {
                false if belongs => Err(OpenError::NotThere(keyspace.clone())),
                _ => Ok(()),
            }
        }
    }
}

fn open_sqlite(config: &Config, directory: Folder, patience: Duration) -> Result<Opened, OpenError> {
    let keys = config.store.keys.as_deref();
    let data = match directory {
        Folder::New => patiently(patience, is_in_use, || DataDir::open_beside(&config.data, keys))?,
        Folder::Existing => DataDir::existing(&config.data)?,
    };
    let options = SqliteOptions { readers: config.store.readers, writer_queue_max: config.store.queue.get() };
    let keys_file = data.keys_file(keys);
    let unlock = |wanted| {
        let in_use = |error: &KeysError| matches!(error, KeysError::InUse { .. });
        patiently(patience, in_use, || FileKeys::open(&keys_file, wanted)).map(|keys| Arc::new(keys) as _)
    };
    let store = Arc::new(SqliteStore::open_with(&data.store_file(), options, unlock)?);
    data.store_is_open()?;
    Ok(Opened {
        store: Arc::clone(&store) as SharedStore,
        clock: Arc::new(SystemClock),
        path: data.path().into(),
        demo_file: data.demo_file(),
        demo_key: None,
        pepper: data.pepper(),
        token_key: data.token_key(),
        admin_key: data.admin_key().clone(),
        shared: None,
        closing: Closing(Kind::Sqlite(store, data)),
    })
}

fn cql_options(
    settings: &Store,
    node: NodeId,
    contact_points: &[String],
    keyspace: &str,
    root_key: PathBuf,
) -> Result<CqlOptions, TlsError> {
    Ok(CqlOptions {
        node,
        contact_points: contact_points.to_vec(),
        addresses: std::collections::HashMap::new(),
        keyspace: keyspace.into(),
        user: settings.user.clone().zip(settings.password.clone()),
        tls: tls::client(settings)?,
        datacenter: settings.datacenter.clone(),
        replicas: settings.replicas.get(),
        root_key,
    })
}

/// All nodes of an installation have to have its secrets alike, so they come from the one that they share.
async fn open_cql(
    config: &Config,
    contact_points: &[String],
    keyspace: &str,
    directory: Folder,
    patience: Duration,
) -> Result<Opened, OpenError> {
    let settings = &config.store;
    let keys = settings.keys.as_deref();
    let data = match directory {
        Folder::New => patiently(patience, is_in_use, || ClusterDir::open(&config.data, keyspace, keys))?,
        Folder::Existing => ClusterDir::existing(&config.data, keyspace, keys)?,
    };
    let node = NodeId::generate();
    let options = cql_options(settings, node, contact_points, keyspace, data.root_key_file().into())?;
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = if settings.threads == 0 { (cores / 2).max(1) } else { settings.threads };
    let store = Arc::new(CqlStore::open(options, threads).await?);
    data.store_is_open()?;
    // A command is no node.
    let before = if directory == Folder::New { data.next_node(node)? } else { None };
    let admin_key = derived_api_key(&store.derive("tertulia admin key v1"));
    data.keep_admin_key(&admin_key)?;
    Ok(Opened {
        path: data.path().into(),
        demo_file: data.demo_file(),
        demo_key: Some(derived_api_key(&store.derive("tertulia demo key v1"))),
        pepper: store.derive("tertulia api keys v1"),
        token_key: store.derive("tertulia visitor tokens v1"),
        admin_key,
        shared: Some(Shared {
            node,
            before,
            on_record: {
                let store = Arc::clone(&store);
                Box::new(move |told| store.on_record(told))
            },
            nodes: Arc::clone(&store) as Arc<dyn Nodes>,
            installation: hex::encode(&store.derive("tertulia installation v1").expose_secret()[..8]),
            secret: store.derive("tertulia peers v1"),
            sign_key: SignKey::new(Box::new(*store.derive("tertulia signs of life v1").expose_secret())),
        }),
        clock: Arc::new(OfStore(store.clock())),
        store: Arc::clone(&store) as SharedStore,
        closing: Closing(Kind::Cql(store, data)),
    })
}

/// What is wrong, without that it is a store it is wrong with.
fn plain(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(words) => words.clone(),
        error => error.to_string(),
    }
}
