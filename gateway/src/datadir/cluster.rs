//! The data directory of a node whose store is a cluster: what the node makes of the store's contents, and its keys.
//! Invariant: a directory is a cluster's or has a store of its own, never one after the other; so a setting that was
//! forgotten begins nothing anew.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

use schema::NodeId;
use secrecy::{ExposeSecret, SecretString};

use super::{
    ADMIN_FILE, CLUSTER_FILE, DataDirError, FORMAT, KEYS_FOLDER, SECRET_FILE, STORE_FILE, VERSION_FILE, create_dir,
    demo_file, lock, read_version, rights, see_one,
};
use crate::private_file::{read_line, write_line, write_new};

/// Which node had the directory last.
const NODE_FILE: &str = "node";

/// The file of the root key, in the folder of the keys.
const ROOT_FILE: &str = "root";

/// An open data directory of a node on a cluster. While it lives no other process can open it.
pub struct ClusterDir {
    path: PathBuf,
    keyspace: String,
    root_key_file: PathBuf,
    // Held for its lock, which the system gives back when the process ends, however it ends.
    _lock: File,
}

impl ClusterDir {
    /// One that a node has made.
    ///
    /// # Errors
    /// [`DataDirError::None`], or as [`ClusterDir::open`].
    pub fn existing(path: &Path, keyspace: &str, keys: Option<&Path>) -> Result<Self, DataDirError> {
        see_one(path)?;
        Self::open(path, keyspace, keys)
    }

    /// Opens the directory, makes it if there is none, and holds its lock. `keys` is the folder that the operator chose
    /// for keys.
    ///
    /// # Errors
    /// One line for people: in use, not writable, too new, or of another store.
    pub fn open(path: &Path, keyspace: &str, keys: Option<&Path>) -> Result<Self, DataDirError> {
        let failed = |doing| move |problem| DataDirError::Io { path: path.into(), doing, problem };
        rights::for_the_owner();
        create_dir(path).map_err(failed("create it"))?;
        let lock = lock(path)?;
        rights::tighten(path).map_err(failed("keep others out of it"))?;
        Self::see(path, keyspace)?;
        let keys = keys_folder(path, keys);
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&keys).map_err(|problem| DataDirError::Io {
            path: keys.clone(),
            doing: "create the folder of the keys",
            problem,
        })?;
        let root_key_file = keys.join(ROOT_FILE);
        Ok(Self { path: path.into(), keyspace: keyspace.into(), root_key_file, _lock: lock })
    }

    /// Whether this program could open a directory that another process may hold: it has a format that the program
    /// knows, and is this keyspace's. Whether it is so already, because its cluster was reached.
    ///
    /// # Errors
    /// As [`ClusterDir::open`].
    pub fn see(path: &Path, keyspace: &str) -> Result<bool, DataDirError> {
        read_version(path)?;
        if [SECRET_FILE, STORE_FILE].iter().any(|file| path.join(file).exists()) {
            return Err(DataDirError::OfItsOwn { path: path.into() });
        }
        match kept(path)? {
            Some(other) if other != keyspace => Err(DataDirError::OfCluster { path: path.into(), keyspace: other }),
            kept => Ok(kept.is_some()),
        }
    }

    /// Where the root key of a directory is that nobody opens here.
    #[must_use]
    pub fn root_key_file_of(path: &Path, keys: Option<&Path>) -> PathBuf {
        keys_folder(path, keys).join(ROOT_FILE)
    }

    /// The directory's path, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the root key: all nodes of an installation have the same one in it.
    #[must_use]
    pub fn root_key_file(&self) -> &Path {
        &self.root_key_file
    }

    /// Where the demo tenant's key is kept.
    #[must_use]
    pub fn demo_file(&self) -> PathBuf {
        demo_file(&self.path)
    }

    /// The cluster was reached with this directory's keys: it is that cluster's from now on.
    ///
    /// # Errors
    /// When that cannot be noted.
    pub fn store_is_open(&self) -> Result<(), DataDirError> {
        let note = |name: &str, text: &str| {
            let file = self.path.join(name);
            if file.try_exists()? { Ok(()) } else { write_new(&file, text.as_bytes()) }
        };
        note(CLUSTER_FILE, &self.keyspace).and_then(|()| note(VERSION_FILE, &format!("{FORMAT}\n"))).map_err(
            |problem| DataDirError::Io { path: self.path.clone(), doing: "note that its cluster was reached", problem },
        )
    }

    /// Notes which node has the directory from now on, and gives the one that had it before.
    ///
    /// # Errors
    /// When it cannot be noted.
    pub fn next_node(&self, node: NodeId) -> Result<Option<NodeId>, DataDirError> {
        let file = self.path.join(NODE_FILE);
        let before = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
        write_new(&file, format!("{node}\n").as_bytes()).map_err(|problem| DataDirError::Io {
            path: self.path.clone(),
            doing: "note which node has it",
            problem,
        })?;
        Ok(before)
    }

    /// Leaves the key for `/v1/admin` where the operator and the commands find it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_admin_key(&self, key: &SecretString) -> Result<(), DataDirError> {
        let file = self.path.join(ADMIN_FILE);
        let keep = || match read_line(&file) {
            Ok(Some(kept)) if kept.expose_secret() == key.expose_secret() => Ok(()),
            _ => write_line(&file, key),
        };
        keep().map_err(|problem| DataDirError::Io { path: self.path.clone(), doing: "write its admin.key", problem })
    }
}

/// The folder of the keys: the one that the operator chose, if any.
fn keys_folder(path: &Path, keys: Option<&Path>) -> PathBuf {
    keys.map_or_else(|| path.join(KEYS_FOLDER), Path::to_path_buf)
}

/// Refuses a directory whose node keeps everything in a cluster.
pub(super) fn refuse(path: &Path) -> Result<(), DataDirError> {
    match kept(path)? {
        Some(keyspace) => Err(DataDirError::OfCluster { path: path.into(), keyspace }),
        None => Ok(()),
    }
}

/// The keyspace of the cluster that the directory belongs to.
fn kept(path: &Path) -> Result<Option<String>, DataDirError> {
    match fs::read_to_string(path.join(CLUSTER_FILE)) {
        Ok(keyspace) => Ok(Some(keyspace.trim().into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(DataDirError::Io { path: path.into(), doing: "read its cluster", problem }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::{DataDir, admin_file};
    use super::*;

    #[test]
    fn a_directory_is_a_clusters_or_has_a_store_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let (shared, own) = (root.path().join("shared"), root.path().join("own"));
        assert!(matches!(ClusterDir::existing(&shared, "chats", None), Err(DataDirError::None { .. })));
        let open = |keyspace| ClusterDir::open(&shared, keyspace, None);
        let dir = open("chats").unwrap();
        assert!(matches!(open("chats"), Err(DataDirError::InUse { .. })));
        assert_eq!(dir.root_key_file(), shared.join("keys/root"));
        drop(dir);
        // A cluster that was never reached binds nothing.
        let dir = open("mistyped").map(drop).and_then(|()| open("chats")).unwrap();
        dir.store_is_open().unwrap();
        drop(dir);
        drop(ClusterDir::existing(&shared, "chats", None).unwrap());
        let dir = open("chats").unwrap();
        let [first, second] = [NodeId::generate(), NodeId::generate()];
        assert_eq!(dir.next_node(first).unwrap(), None);
        assert_eq!(dir.next_node(second).unwrap(), Some(first));
        drop(dir);
        assert!(matches!(open("others"), Err(DataDirError::OfCluster { keyspace, .. }) if keyspace == "chats"));
        assert!(matches!(DataDir::open(&shared), Err(DataDirError::OfCluster { .. })));
        assert!(!shared.join(STORE_FILE).exists() && !shared.join(SECRET_FILE).exists());
        drop(DataDir::open(&own).unwrap());
        assert!(matches!(ClusterDir::open(&own, "chats", None), Err(DataDirError::OfItsOwn { .. })));
        assert!(!own.join(CLUSTER_FILE).exists());
    }

    #[test]
    fn its_keys_are_for_its_owner_wherever_they_are() {
        let root = tempfile::tempdir().unwrap();
        let (path, volume) = (root.path().join("data"), root.path().join("deep/volume"));
        let dir = ClusterDir::open(&path, "chats", Some(&volume)).unwrap();
        assert_eq!(dir.root_key_file(), volume.join("root"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&volume), 0o700);
        for key in ["tk_one", "tk_one", "tk_two"] {
            dir.keep_admin_key(&key.into()).unwrap();
            assert_eq!(read_line(&admin_file(&path)).unwrap().unwrap().expose_secret(), key);
        }
        assert_eq!(mode(&admin_file(&path)), 0o600);
    }
}
