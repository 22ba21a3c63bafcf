//! Connects to a cluster, and sees that it is what a store needs: reachable, with enough replicas, under the right key.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine_privacy::{RootKey, RootKeyError};
use schema::NodeId;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::unprepared::Statement;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep, timeout};

use super::failure::{Shown, of_session, words};
use super::migrate;
use super::session::Link;
use crate::StoreError;

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long it may take to find out who is in the cluster, over all its contact points.
const FIND_WITHIN: Duration = Duration::from_secs(15);
/// How long all hosts of a cluster may take to make a keyspace.
const MADE_WITHIN: Duration = Duration::from_secs(60);

/// How long it may take until all hosts know what one of them has made.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Where a cluster is, and how it is entered.
#[derive(Clone)]
pub struct CqlOptions {
    /// The node that this store is opened for: its claims carry the name.
    pub node: NodeId,
    /// Nodes of the cluster to ask first, each as `host:port`; the others are found from there.
    pub contact_points: Vec<String>,
    /// Nodes that are reached at another address than the cluster names them by, for example behind a translation of
    /// addresses: the named one, and where it is.
    pub addresses: HashMap<SocketAddr, SocketAddr>,
    /// The keyspace; that of the keys has `_keys` behind it.
    pub keyspace: String,
    /// Name and password, where the cluster asks for them.
    pub user: Option<(String, SecretString)>,
    /// How connections are secured; none for plain ones.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The data centre that is this node's own; none for that of the node that answers first.
    pub datacenter: Option<String>,
    /// Copies of each row, where the keyspace has to be made.
    pub replicas: u8,
    /// The file of the root key. The first node of an installation makes it, all others need a copy.
    pub root_key: PathBuf,
}

/// A connection to a cluster whose tables are as this program needs them.
pub(super) struct Connected {
    pub(super) link: Link,
    pub(super) root: RootKey,
    pub(super) key_space: String,
}

pub(super) async fn connect(options: &CqlOptions) -> Result<Connected, StoreError> {
    check_name(&options.keyspace)?;
    let (session, datacenter) = timeout(FIND_WITHIN, find(options)).await.map_err(|_| silent(options))??;
    let keys = keys_of(&options.keyspace);
    for keyspace in [&options.keyspace, &keys] {
        ensure_keyspace(&session, keyspace, &datacenter, options).await?;
    }
    let settling = Settling::begin();
    while session.use_keyspace(&options.keyspace, false).await.is_err() {
        settling.after(refused(options, "its keyspace cannot be used")).await?;
    }
    let link = Link::new(session, &datacenter);
    let root = migrate::migrate(&link, &options.keyspace, &keys, |wanted| root_key(options, wanted)).await?;
    // The keyspaces may be new since it looked.
    let known = link.session.refresh_metadata().await;
    known.map_err(|_| refused(options, "it does not say which tables it has"))?;
    Ok(Connected { link, root, key_space: keys })
}

/// Looks whether [`connect`] would get through, and writes nothing. Whether there is an installation already.
pub(super) async fn see(options: &CqlOptions) -> Result<bool, StoreError> {
    check_name(&options.keyspace)?;
    timeout(FIND_WITHIN, see_all(options)).await.map_err(|_| silent(options))?
}

async fn see_all(options: &CqlOptions) -> Result<bool, StoreError> {
    let (session, datacenter) = find(options).await?;
    for keyspace in [&options.keyspace, &keys_of(&options.keyspace)] {
        if !has_keyspace(&session, keyspace, &datacenter, options).await? {
            return Ok(false);
        }
    }
    migrate::see(&Link::new(session, &datacenter), &options.keyspace, |wanted| root_key(options, Some(wanted))).await
}

/// What another node may just have made is known to all hosts a moment later.
pub(super) struct Settling(Instant);

impl Settling {
    /// From now on.
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Waits a moment before the next try.
    ///
    /// # Errors
    /// What the last one said, once all hosts should know.
    pub(super) async fn after(&self, error: StoreError) -> Result<(), StoreError> {
        match error {
            StoreError::Unavailable(_) if self.0.elapsed() < SETTLED_WITHIN => sleep(LOOK_AGAIN).await,
            error => return Err(error),
        }
        Ok(())
    }
}

/// The keyspace of the keys.
fn keys_of(keyspace: &str) -> String {
    format!("{keyspace}_keys")
}

/// A connection, and the data centre that is this node's own.
async fn find(options: &CqlOptions) -> Result<(Session, String), StoreError> {
    let session = open(options).await?;
    let datacenter = match &options.datacenter {
        Some(datacenter) => datacenter.clone(),
        None => local_datacenter(&session).await?,
    };
    Ok((session, datacenter))
}

async fn open(options: &CqlOptions) -> Result<Session, StoreError> {
    let mut builder = SessionBuilder::new()
        .known_nodes(&options.contact_points)
        .connection_timeout(CONNECT_WITHIN)
        .tls_context(options.tls.clone())
        // Which replicas a partition has is known by its keyspace: requests go there.
        .keyspaces_to_fetch([options.keyspace.clone(), keys_of(&options.keyspace)])
        .fetch_full_schema_metadata(false);
    if !options.addresses.is_empty() {
        builder = builder.address_translator(Arc::new(options.addresses.clone()));
    }
    if let Some(datacenter) = &options.datacenter {
        builder = builder.prefer_datacenter(datacenter.clone());
    }
    if let Some((name, password)) = &options.user {
        builder = builder.user(name, password.expose_secret());
    }
    let shown = Shown::new(options.user.is_some(), options.tls.as_deref());
    builder.build().await.map_err(|error| refused(options, &of_session(&error, shown)))
}

async fn local_datacenter(session: &Session) -> Result<String, StoreError> {
    let answer = session.query_unpaged("SELECT data_center FROM system.local", ()).await;
    let answer = answer.map_err(|error| StoreError::Unavailable(words(&error)))?;
    let rows = answer.into_rows_result().ok();
    let found = rows.and_then(|rows| rows.first_row::<(String,)>().ok());
    found.map(|(name,)| name).ok_or_else(|| StoreError::Unavailable("the cluster does not name its data centre".into()))
}

/// Makes a keyspace where there is none, and looks whether one that is there keeps enough copies.
async fn ensure_keyspace(
    session: &Session,
    keyspace: &str,
    datacenter: &str,
    options: &CqlOptions,
) -> Result<(), StoreError> {
    if has_keyspace(session, keyspace, datacenter, options).await? {
        return Ok(());
    }
    let create = format!(
        "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = \
         {{'class': 'NetworkTopologyStrategy', '{datacenter}': {}}}",
        options.replicas
    );
    let mut create = Statement::new(create);
    create.set_request_timeout(Some(MADE_WITHIN));
    // Many may begin at once: one host makes it for all.
    create.set_load_balancing_policy(migrate::maker(session, datacenter));
    let created = session.query_unpaged(create, ()).await;
    created
        .map(drop)
        .map_err(|error| refused(options, &format!("its keyspace {keyspace} cannot be made: {}", words(&error))))
}

/// Whether there is such a keyspace; one that is there keeps enough copies, and for one that is not there are enough
/// hosts.
async fn has_keyspace(
    session: &Session,
    keyspace: &str,
    datacenter: &str,
    options: &CqlOptions,
) -> Result<bool, StoreError> {
    let state = session.get_cluster_state();
    let nodes = state.get_nodes_info().iter().filter(|node| node.datacenter.as_deref() == Some(datacenter)).count();
    if nodes == 0 {
        return Err(refused(options, &format!("it has no data centre {datacenter:?}")));
    }
    let wanted = usize::from(options.replicas);
    if nodes < wanted {
        return Err(refused(
            options,
            &format!(
                "its data centre {datacenter:?} has {nodes} of the {wanted} nodes that {wanted} replicas need: add nodes, \
                 or set store.replicas lower, which keeps fewer copies"
            ),
        ));
    }
    let Some(replication) = replication(session, keyspace).await? else { return Ok(false) };
    let copies: Option<usize> =
        replication.iter().find(|(name, _)| name == datacenter).and_then(|(_, count)| count.parse().ok());
    match copies {
        Some(copies) if copies >= wanted => Ok(true),
        Some(copies) => Err(refused(
            options,
            &format!(
                "its keyspace {keyspace} keeps {copies} copies in {datacenter:?}, and store.replicas is {wanted}: alter \
                 the keyspace, or set store.replicas to {copies}"
            ),
        )),
        None => Err(refused(
            options,
            &format!(
                "its keyspace {keyspace} keeps no copies in {datacenter:?}: alter its replication to \
                 NetworkTopologyStrategy with {wanted} there, or name another data centre with store.datacenter"
            ),
        )),
    }
}

/// What is said of a keyspace's copies; none where there is no such keyspace.
async fn replication(session: &Session, keyspace: &str) -> Result<Option<Vec<(String, String)>>, StoreError> {
    let answer = session
        .query_unpaged("SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?", (keyspace,))
        .await
        .map_err(|error| StoreError::Unavailable(words(&error)))?;
    let rows = answer.into_rows_result().ok();
    let found = rows.and_then(|rows| rows.maybe_first_row::<(std::collections::BTreeMap<String, String>,)>().ok());
    Ok(found.flatten().map(|(replication,)| replication.into_iter().collect()))
}

/// The root key that the installation has, or a new one for a new installation.
fn root_key(options: &CqlOptions, wanted: Option<[u8; 16]>) -> Result<RootKey, StoreError> {
    let path = &options.root_key;
    let told = |error: RootKeyError| StoreError::Unavailable(error.to_string());
    match (RootKey::read(path).map_err(told)?, wanted) {
        (Some(root), None) => Ok(root),
        (Some(root), Some(wanted)) if root.fingerprint() == wanted => Ok(root),
        (Some(_), Some(_)) => Err(StoreError::Unavailable(format!(
            "the root key {} is not the one of this cluster's data: copy it from another node",
            path.display()
        ))),
        (None, Some(_)) => Err(StoreError::Unavailable(format!(
            "the root key {} is missing, and without it nothing that was said can be read: copy it from another node",
            path.display()
        ))),
        (None, None) => RootKey::create(path).map_err(told),
    }
}

/// A name that needs no quotes.
fn check_name(name: &str) -> Result<(), StoreError> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.len() <= 40 {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!(
        "{name:?} is no name for a keyspace: take 1 to 40 of a-z, 0-9 and _, a letter first"
    )))
}

fn silent(options: &CqlOptions) -> StoreError {
    refused(options, &format!("it does not answer within {} s", FIND_WITHIN.as_secs()))
}

fn refused(options: &CqlOptions, why: &str) -> StoreError {
    StoreError::Unavailable(format!("the cluster at {} cannot be used: {why}", options.contact_points.join(", ")))
}
