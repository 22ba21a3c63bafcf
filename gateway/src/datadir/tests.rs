//! A data directory that is made, opened again, spoilt, and opened to others.

use super::*;

fn fresh() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("some/data");
    (root, path)
}

#[test]
fn secrets_are_made_once_and_kept() {
    let (_root, path) = fresh();
    let first = DataDir::open(&path).unwrap();
    let keys = |dir: &DataDir| {
        (*dir.pepper().expose_secret(), *dir.token_key().expose_secret(), dir.admin_key().expose_secret().to_string())
    };
    let before = keys(&first);
    assert_ne!(before.0, before.1, "one purpose, one key");
    drop(first);
    assert_eq!(keys(&DataDir::open(&path).unwrap()), before);
    assert_eq!(read_line(&admin_file(&path)).unwrap().unwrap().expose_secret(), before.2);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_look() {
    use std::os::unix::fs::PermissionsExt;
    let (_root, path) = fresh();
    let _dir = DataDir::open(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for file in [SECRET_FILE, ADMIN_FILE, LOCK_FILE, STORE_FILE, VERSION_FILE] {
        assert_eq!(mode(&path.join(file)), 0o600, "{file}");
    }
}

#[cfg(unix)]
#[test]
fn what_was_open_to_others_is_closed_and_no_link_is_followed() {
    use std::os::unix::fs::PermissionsExt;
    let (root, path) = fresh();
    drop(DataDir::open(&path).unwrap());
    let deep = path.join(INDEX_FOLDER).join("ten_x");
    fs::create_dir_all(&deep).unwrap();
    let outside = root.path().join("outside");
    for file in [
        &deep.join("meta.json"),
        &path.join("tertulia.db-wal"),
        &path.join("notes.txt"),
        &path.join(STORE_FILE),
        &outside,
    ] {
        fs::write(file, "x").unwrap();
    }
    std::os::unix::fs::symlink(&outside, deep.join("link")).unwrap();
    let everything = [
        (path.clone(), 0o777, 0o700),
        (path.join(STORE_FILE), 0o664, 0o600),
        (path.join("tertulia.db-wal"), 0o644, 0o600),
        (path.join(SECRET_FILE), 0o644, 0o600),
        (path.join(INDEX_FOLDER), 0o755, 0o700),
        (deep.clone(), 0o755, 0o700),
        (deep.join("meta.json"), 0o666, 0o600),
        // Not of this program's making.
        (path.join("notes.txt"), 0o644, 0o644),
        (outside, 0o644, 0o644),
    ];
    for (path, before, _) in &everything {
        fs::set_permissions(path, fs::Permissions::from_mode(*before)).unwrap();
    }
    let _dir = DataDir::open(&path).unwrap();
    for (path, _, after) in &everything {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, *after, "{}", path.display());
    }
}

#[test]
#[cfg(unix)]
fn a_key_file_that_is_kept_elsewhere_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt as _;

    let (root, path) = fresh();
    let dir = DataDir::open(&path).unwrap();
    let volume = root.path().join("volume");
    fs::create_dir(&volume).unwrap();
    assert_eq!(dir.keys_file(Some(&volume)), volume.join(KEYS_FILE), "one that is not there yet is no fault");
    for (file, mode) in [(volume.join(KEYS_FILE), 0o644), (volume.join("notes.txt"), 0o644), (volume.clone(), 0o755)] {
        if file != volume {
            fs::write(&file, "x").unwrap();
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }
    let file = dir.keys_file(Some(&volume));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode(&file), mode(&volume.join("notes.txt")), mode(&volume)], [0o600, 0o644, 0o755]);
}

#[test]
fn a_second_one_fails_fast_and_plainly() {
    let (_root, path) = fresh();
    let first = DataDir::open(&path).unwrap();
    let error = DataDir::open(&path).err().unwrap();
    assert!(matches!(error, DataDirError::InUse { .. }), "{error}");
    drop(first);
    assert!(DataDir::open(&path).is_ok());
}

#[test]
fn what_cannot_be_used_is_one_line() {
    let spoil = |spoil: &dyn Fn(&Path)| {
        let (_root, path) = fresh();
        drop(DataDir::open(&path).unwrap());
        spoil(&path);
        DataDir::open(&path).err().unwrap().to_string()
    };
    for (error, part) in [
        (spoil(&|path| fs::write(path.join("VERSION"), "2\n").unwrap()), "it has format 2"),
        (spoil(&|path| fs::write(path.join("VERSION"), "tarte").unwrap()), "VERSION is not a number"),
        (spoil(&|path| fs::remove_file(path.join("secret.key")).unwrap()), "secret.key is missing"),
        (spoil(&|path| fs::remove_file(path.join("tertulia.db")).unwrap()), "tertulia.db is missing: put the whole"),
        (
            spoil(&|path| {
                fs::remove_file(path.join("tertulia.db")).unwrap();
                fs::remove_file(path.join("VERSION")).unwrap();
            }),
            "to begin afresh, with new keys and without what was said, move the directory away",
        ),
        (
            spoil(&|path| {
                fs::write(path.join("tertulia.db"), "").unwrap();
                fs::create_dir(path.join("knowledge")).unwrap();
            }),
            "tertulia.db is empty",
        ),
        (
            spoil(&|path| {
                DataDir::open(path).unwrap().store_is_open().unwrap();
                fs::write(path.join("tertulia.db"), "").unwrap();
            }),
            "tertulia.db is empty",
        ),
        (spoil(&|path| fs::write(path.join("secret.key"), "short").unwrap()), "secret.key does not hold 32 bytes"),
        (spoil(&|path| fs::write(path.join("secret.key"), [0; 33]).unwrap()), "secret.key does not hold 32 bytes"),
        (spoil(&|path| fs::write(path.join("admin.key"), "").unwrap()), "cannot read its admin.key"),
        (DataDir::open(Path::new("/dev/null/data")).err().unwrap().to_string(), "/dev/null/data: cannot create it: "),
    ] {
        assert!(error.starts_with("data directory ") && error.contains(part), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_crash_before_the_version_was_written_is_no_harm() {
    let (_root, path) = fresh();
    create_dir(&path).unwrap();
    fs::write(path.join("secret.new"), "half").unwrap();
    drop(DataDir::open(&path).unwrap());
    fs::remove_file(path.join(VERSION_FILE)).unwrap();
    assert!(DataDir::open(&path).is_ok());
}

#[test]
fn keys_without_the_data_that_they_open_are_refused_and_nothing_is_touched() {
    for apart in [true, false] {
        let (root, path) = fresh();
        let chosen = apart.then(|| root.path().join("keys"));
        let open = || DataDir::open_beside(&path, chosen.as_deref());
        let file = keys_file(&path, chosen.as_deref());
        // A first start that came to nothing: its keys were never given out.
        let keys = FileKeys::open(&file, None).unwrap();
        drop(open().unwrap());
        fs::remove_dir_all(&path).unwrap();
        drop(keys);
        let keys = FileKeys::open(&file, None).unwrap();
        engine_privacy::Keys::allot(&keys, 1).unwrap();
        let (bytes, before) = (fs::read(&file).unwrap(), path.exists());
        for _ in 0..2 {
            let error = open().err().unwrap().to_string();
            for part in [path.to_str().unwrap(), file.to_str().unwrap(), "is its volume mounted?", "move the key file"]
            {
                assert!(error.contains(part) && !error.contains('\n'), "{part}: {error}");
            }
            assert!(!path.join(VERSION_FILE).exists() && path.exists() == before, "nothing is begun");
            assert_eq!(fs::read(&file).unwrap(), bytes);
        }
        // Data without keys of their own, of an earlier program: they take them.
        fs::create_dir_all(&path).unwrap();
        drop(DataDir::open(&path).unwrap());
        fs::write(path.join(STORE_FILE), "SQLite format 3").unwrap();
        drop(open().unwrap());
        fs::remove_dir_all(&path).unwrap();
        // Moved away, they hold up nobody.
        if file.exists() {
            fs::rename(&file, root.path().join("old.keys")).unwrap();
        }
        drop(open().unwrap());
    }
}
