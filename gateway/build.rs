//! Makes the pages that are compiled in: packed, and compressed once, so that no request has to be.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, thread};

#[path = "src/web/pack/mod.rs"]
mod pack;
#[path = "src/web/sources.rs"]
mod sources;

use pack::PackedFile;

/// The best that there is: it is done once a build.
const BROTLI_QUALITY: u32 = 11;
const BROTLI_WINDOW_LOG2: u32 = 22;
const BUFFER_BYTES: usize = 64 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("web");
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-changed=src/web");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let newest = sources::newest(&folder)?;
    let made = pack::make(&sources::read(&folder)?)?;
    let hands = thread::available_parallelism().map_or(1, usize::from);
    let written = thread::scope(|scope| {
        // Dealt out one by one: the large ones stand together.
        let deal = |hand| {
            let (made, out) = (&made, &out);
            scope.spawn(move || {
                let mine = made.iter().enumerate().skip(hand).step_by(hands);
                mine.map(|(at, made)| Ok((at, write(out, at, made)?))).collect::<Result<Vec<_>, std::io::Error>>()
            })
        };
        // All are at work before the first is waited for.
        let threads: Vec<_> = (0..hands).map(deal).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut rows = BTreeMap::new();
    for thread in written {
        rows.extend(thread.map_err(|_| "a thread that compresses has panicked")??);
    }
    let mut table = format!("const NAME_HASH_LEN: usize = {};\n", pack::NAME_HASH_LEN);
    // Only a build that looks at the folder again has use for it.
    _ = writeln!(table, "#[cfg(debug_assertions)]\nconst MADE_OF: u128 = {newest};");
    table.push_str("const COMPILED: &[Compiled] = &[\n");
    for row in rows.values() {
        _ = writeln!(table, "{row}");
    }
    table.push_str("];\n");
    fs::write(out.join("site.rs"), table)?;
    Ok(())
}

/// Writes a file's content in all codings, and gives its row of the table.
fn write(out: &Path, at: usize, made: &PackedFile) -> Result<String, std::io::Error> {
    let plain = made.content.as_bytes();
    let mut brotli = brotli::CompressorWriter::new(Vec::new(), BUFFER_BYTES, BROTLI_QUALITY, BROTLI_WINDOW_LOG2);
    brotli.write_all(plain)?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(plain)?;
    let (brotli, gzip) = (brotli.into_inner(), gzip.finish()?);
    let mut row = format!("Compiled {{ name: {:?}, hash: {:?}", made.name, made.hash());
    for (field, content) in [("plain", plain), ("gzip", gzip.as_slice()), ("brotli", brotli.as_slice())] {
        let file = out.join(format!("{at}.{field}"));
        // Nothing is gained where a short text has become longer.
        let content = if content.len() > plain.len() { &[] } else { content };
        fs::write(&file, content)?;
        _ = write!(row, ", {field}: include_bytes!({:?})", file.display().to_string());
    }
    Ok(row + " },")
}
