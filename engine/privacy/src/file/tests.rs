//! Key files that are made, filled, opened again, spoilt, lost and mixed up.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::*;

fn bytes_of(keys: &FileKeys, id: KeyNumber) -> [u8; 32] {
    *keys.open(id).unwrap().bytes()
}

#[test]
fn a_number_is_given_out_once_across_stops_and_crashes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/conversations.keys");
    let (mut seen, mut known, mut installation) = (HashSet::new(), Vec::new(), None);
    for round in 0..6_usize {
        let keys = FileKeys::open(&path, installation).unwrap();
        installation = Some(keys.installation());
        for (id, key) in &known {
            assert_eq!(bytes_of(&keys, *id), *key, "round {round}: a key stays what it is");
        }
        for count in [1, 3, 0, 5_000] {
            for id in keys.allot(count).unwrap() {
                assert!(seen.insert(id), "round {round}: {id:?} twice");
                known.push((id, bytes_of(&keys, id)));
            }
        }
        known.truncate(64);
        // A crash: what the drop would have noted is not.
        if round % 2 == 1 {
            lock(&keys.filling).filled = 0;
        }
    }
    let distinct: HashSet<_> = known.iter().map(|(_, key)| *key).collect();
    assert_eq!(distinct.len(), known.len());
}

#[test]
fn a_copy_has_the_same_keys_and_gives_out_no_number_again_whenever_it_was_made() {
    for seed in 1..=12_u64 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        let mut state = seed;
        let mut below = move |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        // What the file was, and the highest number that was given out by then: whatever of this the disk had when the
        // power went, is the same as one of them.
        let copies = Arc::new(Mutex::new(Vec::<(Vec<u8>, u64)>::new()));
        let (highest, mut given) = (Arc::new(AtomicU64::new(0)), HashMap::new());
        let copy = {
            let (copies, highest, path) = (Arc::clone(&copies), Arc::clone(&highest), path.clone());
            move || lock(&copies).push((fs::read(&path).unwrap(), highest.load(Ordering::SeqCst)))
        };
        for _life in 0..8 {
            let mut keys = FileKeys::open(&path, None).unwrap();
            let (copy_synced, fails) = (copy.clone(), AtomicU64::new(below(1 << 16)));
            keys.sync = Box::new(move |file| {
                copy_synced();
                let fails = fails.fetch_add(7_919, Ordering::SeqCst);
                if fails % 3 == 0 { Err(io::Error::other("as a test wants it")) } else { file.sync_data() }
            });
            for _ in 0..below(5) {
                for id in keys.allot(below(300) as usize).unwrap_or_default() {
                    assert!(given.insert(id, bytes_of(&keys, id)).is_none(), "seed {seed}: {id:?} twice");
                    highest.fetch_max(id.0, Ordering::SeqCst);
                }
            }
            // A crash, every now and then.
            if below(3) == 0 {
                lock(&keys.filling).filled = 0;
            }
            drop(keys);
            copy();
        }
        let copies = lock(&copies);
        let until = copies[1..].iter().map(|(_, highest)| *highest);
        for (n, ((bytes, before), until)) in copies.iter().zip(until).enumerate() {
            let copied = folder.path().join("copy");
            fs::write(&copied, bytes).unwrap();
            let keys = FileKeys::open(&copied, None).unwrap();
            for (id, key) in &given {
                match keys.open(*id) {
                    Ok(found) => assert_eq!(found.bytes(), key, "seed {seed}, copy {n}: {id:?}"),
                    Err(KeysError::Unknown(_)) => assert!(id.0 > *before, "seed {seed}, copy {n}: {id:?} is lost"),
                    Err(error) => panic!("seed {seed}, copy {n}, {id:?}: {error}"),
                }
            }
            let next = keys.allot(1).unwrap()[0];
            assert!(next.0 > until, "seed {seed}, copy {n}: {next:?} again, after {until}");
        }
    }
}

#[test]
fn a_file_that_was_filled_anew_at_each_start_gives_out_none_of_what_its_copies_have() {
    for (format, ended) in [(1, false), (2, true)] {
        let folder = tempfile::tempdir().unwrap();
        let (path, copied) = (folder.path().join("k"), folder.path().join("copy"));
        let keys = FileKeys::open(&path, None).unwrap();
        let ids = keys.allot(200).unwrap();
        let known: Vec<_> = ids.iter().map(|id| bytes_of(&keys, *id)).collect();
        drop(keys);
        let mut earlier = fs::read(&path).unwrap();
        earlier[12] = format;
        earlier[48..56].fill(0);
        if !ended {
            earlier[40..48].fill(0);
        }
        fs::write(&copied, &earlier).unwrap();
        // As such a program leaves it when it stops.
        earlier[32..40].copy_from_slice(&201_u64.to_le_bytes());
        fs::write(&path, &earlier).unwrap();
        let keys = FileKeys::open(&path, None).unwrap();
        let fresh = keys.allot(30).unwrap();
        assert_eq!(fresh[0], KeyNumber(FIRST_BLOCK_SLOTS + 1), "format {format}");
        assert!(ids.iter().zip(&known).all(|(id, key)| bytes_of(&keys, *id) == *key));
        drop(keys);
        let copy = FileKeys::open(&copied, None).unwrap();
        assert!(ids.iter().zip(&known).all(|(id, key)| bytes_of(&copy, *id) == *key));
        assert!(fresh.iter().all(|id| matches!(copy.open(*id), Err(KeysError::Unknown(_)))));
        // This is done once.
        assert_eq!(FileKeys::open(&path, None).unwrap().allot(1).unwrap(), [KeyNumber(FIRST_BLOCK_SLOTS + 31)]);
        assert_eq!(fs::read(&path).unwrap()[12], 3, "a program that would fill them anew refuses it");
    }
}

#[test]
fn no_keys_are_added_to_a_file_over_which_an_older_one_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    let keys = FileKeys::open(&path, None).unwrap();
    let before = fs::read(&path).unwrap();
    keys.allot(usize::MAX).unwrap();
    let newest = fs::read(&path).unwrap();
    let over = |bytes: &[u8]| OpenOptions::new().write(true).open(&path).unwrap().write_all_at(bytes, 0).unwrap();
    over(&before);
    assert!(matches!(keys.allot(1), Err(KeysError::Replaced { .. })));
    over(&newest);
    assert_eq!(keys.allot(1).unwrap(), [KeyNumber(FIRST_BLOCK_SLOTS + 1)]);
    over(&before);
    drop(keys);
    assert_eq!(fs::read(&path).unwrap()[..HEADER_BYTES as usize], before[..], "nor is anything noted in it");
}

#[test]
fn a_stop_in_good_order_wastes_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    let mut last = 0;
    for round in 0..50 {
        let keys = FileKeys::open(&path, None).unwrap();
        let id = keys.allot(1).unwrap()[0];
        assert_eq!(id, KeyNumber(last + 1), "round {round}");
        last = id.0;
    }
    assert!(fs::metadata(&path).unwrap().len() <= HEADER_BYTES + (FIRST_BLOCK_SLOTS + 50) * SLOT_BYTES);
}

#[test]
fn what_has_ended_is_nowhere_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    let keys = FileKeys::open(&path, None).unwrap();
    let ids = keys.allot(5).unwrap();
    let secrets: Vec<_> = ids.iter().map(|id| bytes_of(&keys, *id)).collect();
    let has = |key: &[u8; 32]| fs::read(&path).unwrap().windows(32).any(|bytes| bytes == key);
    assert!(secrets.iter().all(has));
    keys.end(&ids[1..3]).unwrap();
    keys.end(&ids[1..3]).unwrap();
    assert_eq!(secrets.iter().map(has).collect::<Vec<_>>(), [true, false, false, true, true]);
    drop(keys);
    let keys = FileKeys::open(&path, None).unwrap();
    let open = ids.iter().map(|id| keys.open(*id).is_ok()).collect::<Vec<_>>();
    assert_eq!(open, [true, false, false, true, true]);
    assert!(matches!(keys.open(ids[1]), Err(KeysError::Ended)));
    for unknown in [KeyNumber(0), KeyNumber(9_999_999)] {
        assert!(matches!(keys.open(unknown), Err(KeysError::Unknown(id)) if id == unknown));
        assert!(matches!(keys.end(&[ids[0], unknown]), Err(KeysError::Unknown(id)) if id == unknown));
    }
    assert!(keys.open(ids[0]).is_ok(), "with one that is unknown none is ended");
}

#[test]
fn a_file_that_does_not_fit_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    let keys = FileKeys::open(&path, None).unwrap();
    let ours = keys.installation();
    keys.allot(1).unwrap();
    let refusal = |path: &Path, wanted| FileKeys::open(path, wanted).err().map(|error| error.to_string()).unwrap();
    assert!(refusal(&path, None).contains("in use by another process"));
    drop(keys);
    let whole = fs::read(&path).unwrap();
    let other = Installation([9; 16]);
    assert!(refusal(&folder.path().join("lost"), Some(ours)).contains("is missing"));
    assert!(!folder.path().join("lost").exists(), "nothing was put in its place");
    assert!(refusal(&path, Some(other)).contains(&format!("is of installation {ours}")));
    let mut newer = whole.clone();
    newer[12] = 4;
    for (bytes, words) in [
        (&b""[..], "no key file"),
        (b"dear diary, it is a long day today and nothing happens, so I write all of it down", "no key file"),
        (&whole[..HEADER_BYTES as usize], "shorter than it was"),
        (&newer, "use a newer one"),
    ] {
        fs::write(&path, bytes).unwrap();
        // As after a crash: all of its numbers may have been given out.
        if words == "shorter than it was" {
            let mut cut = bytes.to_vec();
            cut[32..40].copy_from_slice(&4_097_u64.to_le_bytes());
            fs::write(&path, cut).unwrap();
        }
        let refused = refusal(&path, Some(ours));
        assert!(refused.contains(words) && !refused.contains('\n'), "{refused}");
    }
    fs::write(&path, &whole).unwrap();
    assert!(FileKeys::open(&path, Some(ours)).is_ok());
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_look() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/k");
    FileKeys::open(&path, None).unwrap().allot(1).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o700, 0o600));
}

#[test]
fn who_opens_a_key_waits_for_no_sync() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = FileKeys::open(&folder.path().join("k"), None).unwrap();
    let ids = keys.allot(2).unwrap();
    let (entered, inside) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    keys.sync = Box::new(move |file| {
        entered.send(()).unwrap();
        lock(&released).recv().unwrap();
        file.sync_data()
    });
    let keys = Arc::new(keys);
    let patience = Duration::from_secs(30);
    let opened = || {
        let (done, opened) = mpsc::channel();
        let (keys, ids) = (Arc::clone(&keys), ids.clone());
        thread::spawn(move || done.send(ids.iter().map(|id| keys.open(*id).is_ok()).collect::<Vec<_>>()));
        opened.recv_timeout(patience).expect("it waits for the sync")
    };
    let with = |act: fn(&FileKeys, KeyNumber)| {
        let (keys, id) = (Arc::clone(&keys), ids[0]);
        thread::spawn(move || act(&keys, id))
    };

    let ends = with(|keys, id| keys.end(&[id]).unwrap());
    inside.recv_timeout(patience).unwrap();
    assert_eq!(opened(), [false, true], "what is being ended opens no more");
    release.send(()).unwrap();
    ends.join().unwrap();

    let fills = with(|keys, _| while keys.allot(100).unwrap()[0].0 <= FIRST_BLOCK_SLOTS {});
    for _ in 0..2 {
        inside.recv_timeout(patience).unwrap();
        assert_eq!(opened(), [false, true]);
        release.send(()).unwrap();
    }
    fills.join().unwrap();
}

#[test]
fn what_a_power_loss_left_behind_the_last_number_is_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    let keys = FileKeys::open(&path, None).unwrap();
    let before = keys.allot(3).unwrap();
    drop(keys);
    // The file's length was durable, and what was written there was not.
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let length = HEADER_BYTES + FIRST_BLOCK_SLOTS * SLOT_BYTES;
    assert_eq!(file.metadata().unwrap().len(), length);
    file.set_len(length + 10_000 * SLOT_BYTES).unwrap();
    drop(file);
    let keys = FileKeys::open(&path, None).unwrap();
    let (mut numbers, mut seen) = (before, HashSet::new());
    while numbers.len() < 12_000 {
        numbers.extend(keys.allot(5_000).unwrap());
    }
    assert!(numbers.iter().all(|id| seen.insert(bytes_of(&keys, *id))), "each is a key of its own");
}

#[test]
fn a_process_that_is_killed_wastes_few_keys_when_it_has_used_few() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    for round in 0..3 {
        let keys = FileKeys::open(&path, None).unwrap();
        assert_eq!(keys.allot(1).unwrap(), [KeyNumber(round * 256 + 1)], "round {round}");
        lock(&keys.filling).filled = 0;
    }
    let keys = FileKeys::open(&path, None).unwrap();
    let blocks: Vec<_> = (0..7).map(|_| keys.allot(9_999).unwrap().len()).collect();
    assert_eq!(blocks, [256, 512, 1_024, 2_048, 4_096, 4_096, 4_096], "many come with few syncs");
}

#[test]
fn a_hole_in_the_file_is_damage_and_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    let keys = FileKeys::open(&path, None).unwrap();
    let ids = keys.allot(3).unwrap();
    let kept = bytes_of(&keys, ids[2]);
    keys.end(&ids[..1]).unwrap();
    keys.file.write_all_at(&[0; 32], place(ids[1])).unwrap();
    assert!(matches!(keys.open(ids[0]), Err(KeysError::Ended)));
    assert!(matches!(keys.open(ids[1]), Err(KeysError::Damaged { .. })));
    assert_eq!(bytes_of(&keys, ids[2]), kept);
    // Who erases what it sealed may do so all the same.
    keys.end(&ids[1..2]).unwrap();
    assert!(matches!(keys.open(ids[1]), Err(KeysError::Ended)));
}

#[test]
fn nothing_is_ended_in_a_file_that_is_not_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    let keys = FileKeys::open(&path, None).unwrap();
    let ids = keys.allot(1).unwrap();
    let copy = folder.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    fs::rename(&copy, &path).unwrap();
    let told = keys.end(&ids).unwrap_err();
    assert!(matches!(told, KeysError::Replaced { .. }) && told.to_string().contains("start the node again"), "{told}");
    fs::remove_file(&path).unwrap();
    assert!(matches!(keys.end(&ids), Err(KeysError::Replaced { .. })));
}

#[test]
fn the_count_of_ends_only_rises_and_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    let mut counts = vec![];
    for round in 0..3 {
        let keys = FileKeys::open(&path, None).unwrap();
        counts.push(keys.ended());
        let ids = keys.allot(3).unwrap();
        keys.end(&ids[..2]).unwrap();
        counts.push(keys.ended());
        // Who ends one again, after a crash, must not be taken for the file from before.
        keys.end(&ids[..1]).unwrap();
        keys.end(&[]).unwrap();
        counts.push(keys.ended());
        keys.allot(5_000).unwrap();
        if round == 1 {
            lock(&keys.filling).filled = 0;
        }
    }
    assert_eq!(counts, [0, 2, 3, 3, 5, 6, 6, 8, 9]);
}

#[test]
fn ends_are_counted_once_the_disk_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    let mut keys = FileKeys::open(&path, None).unwrap();
    let ids = keys.allot(2).unwrap();
    keys.sync = Box::new(|_| Err(io::Error::other("as a test wants it")));
    assert!(matches!(keys.end(&ids[..1]), Err(KeysError::Io { .. })));
    assert_eq!(keys.ended(), 0, "nobody may note what a power cut can take back");
    keys.sync = Box::new(File::sync_data);
    keys.end(&ids).unwrap();
    assert_eq!(keys.ended(), 3, "a copy from in between shows 1, and does not pass for this");
    drop(keys);
    assert_eq!(FileKeys::open(&path, None).unwrap().ended(), 3);
}

#[test]
fn nothing_is_ended_in_a_file_over_which_an_older_one_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    let keys = FileKeys::open(&path, None).unwrap();
    let ids = keys.allot(2).unwrap();
    let before = fs::read(&path).unwrap();
    keys.end(&ids[..1]).unwrap();
    OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&before, 0).unwrap();
    assert!(matches!(keys.end(&ids[1..]), Err(KeysError::Replaced { .. })));
}

#[test]
fn a_file_that_did_not_count_its_ends_is_counted_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k");
    let keys = FileKeys::open(&path, None).unwrap();
    let mut ids = vec![];
    while ids.len() < 5_000 {
        ids.extend(keys.allot(5_000).unwrap());
    }
    let ended: Vec<_> = ids.iter().copied().filter(|id| id.0 % 7 == 0).collect();
    keys.end(&ended).unwrap();
    keys.end(&ended).unwrap();
    drop(keys);
    let mut first_format = fs::read(&path).unwrap();
    first_format[12] = 1;
    first_format[40..56].fill(0);
    fs::write(&path, first_format).unwrap();
    for _ in 0..2 {
        let keys = FileKeys::open(&path, None).unwrap();
        assert_eq!(keys.ended(), ended.len() as u64);
        assert!(matches!(keys.open(ended[0]), Err(KeysError::Ended)));
    }
    assert_eq!(fs::read(&path).unwrap()[12], 3, "a program that does not count refuses it");
}
