//! The fuzzers' corpus, each file as it is and changed at random: what a fuzzer would begin with.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tests::fuzz::TARGETS;

/// Changed copies of each file; fewer where reading one takes long.
const CHANGED: usize = 400;
const TIME_FOR_A_FILE: Duration = Duration::from_secs(1);
const BYTES_MAX: usize = 64 * 1024;

#[test]
fn the_corpus_and_what_is_near_it_is_read_as_promised() {
    let seed: u64 = std::env::var("TERTULIA_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("TERTULIA_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 5, "{name} has a corpus");
        let corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
        for bytes in &corpus {
            target(bytes);
            let begun = Instant::now();
            for _ in 0..CHANGED {
                if begun.elapsed() > TIME_FOR_A_FILE {
                    break;
                }
                target(&changed(&mut rng, bytes, &corpus));
            }
        }
    }
}

/// Bits turned, pieces cut out, doubled, or taken from another file.
fn changed(rng: &mut StdRng, bytes: &[u8], corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        let at = rng.random_range(0..=bytes.len());
        let end = rng.random_range(at..=bytes.len());
        match rng.random_range(0..5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = rng.random(),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let other = &corpus[rng.random_range(0..corpus.len())];
                let from = rng.random_range(0..=other.len());
                let to = rng.random_range(from..=other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
        }
        bytes.truncate(BYTES_MAX);
    }
    bytes
}
