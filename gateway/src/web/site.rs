//! The files of all pages, compiled in. A debug build makes them anew where one has changed in its
//! folder since, so that a change shows at the next reload.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;

/// A row of the table that the build script writes.
struct Compiled {
    name: &'static str,
    hash: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/site.rs"));

/// One file in all codings; what is empty has not become shorter.
#[derive(Debug)]
pub(super) struct Asset {
    /// What tells its content from any other.
    pub(super) hash: String,
    pub(super) plain: Bytes,
    pub(super) gzip: Bytes,
    pub(super) brotli: Bytes,
}

/// All files by their path below `/web/`.
pub(super) struct Site(HashMap<String, Asset>);

static SITE: LazyLock<Arc<Site>> = LazyLock::new(|| {
    let assets = COMPILED.iter().map(|row| {
        let [plain, gzip, brotli] = [row.plain, row.gzip, row.brotli].map(Bytes::from_static);
        (row.name.to_owned(), Asset { hash: row.hash.to_owned(), plain, gzip, brotli })
    });
    Arc::new(Site(assets.collect()))
});

/// The site as it is now.
#[cfg(not(debug_assertions))]
pub(super) fn now() -> Arc<Site> {
    Arc::clone(&SITE)
}

#[cfg(debug_assertions)]
pub(super) use live::now;

impl Site {
    /// A file by its path, and whether the path means this content for ever. A page of an older version
    /// may ask for what it was made with: it gets the file as it is now, rather than nothing.
    pub(super) fn find(&self, path: &str) -> Option<(&Asset, bool)> {
        if let Some(asset) = self.0.get(path) {
            return Some((asset, false));
        }
        let (stem, extension) = path.rsplit_once('.')?;
        let (name, hash) = stem.rsplit_once('.')?;
        let of_hash = hash.len() == NAME_HASH_LEN && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        let asset = self.0.get(&format!("{name}.{extension}")).filter(|_| of_hash)?;
        Some((asset, asset.hash == hash))
    }
}

#[cfg(debug_assertions)]
mod live {
    use std::path::Path;
    use std::sync::{Arc, PoisonError, RwLock};

    use super::super::{pack, sources};
    use super::{Asset, Bytes, MADE_OF, SITE, Site};

    /// What was made last, and of which moment's files.
    static MADE: RwLock<Option<(u128, Arc<Site>)>> = RwLock::new(None);

    pub(in super::super) fn now() -> Arc<Site> {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/web"));
        let newest = sources::newest(folder).unwrap_or_default();
        if newest <= MADE_OF {
            return Arc::clone(&SITE);
        }
        if let Some((of, site)) = &*MADE.read().unwrap_or_else(PoisonError::into_inner)
            && *of == newest
        {
            return Arc::clone(site);
        }
        match make(folder) {
            Ok(site) => {
                let site = Arc::new(site);
                *MADE.write().unwrap_or_else(PoisonError::into_inner) = Some((newest, Arc::clone(&site)));
                site
            }
            Err(error) => {
                tracing::error!(path = %folder.display(), %error, "the pages cannot be made of their files; the older ones are served");
                Arc::clone(&SITE)
            }
        }
    }

    fn make(folder: &Path) -> Result<Site, Box<dyn std::error::Error>> {
        let made = pack::make(&sources::read(folder)?)?;
        let assets = made.into_iter().map(|made| {
            let hash = made.hash();
            let [gzip, brotli] = [Bytes::new(), Bytes::new()];
            (made.name, Asset { hash, plain: Bytes::from(made.content), gzip, brotli })
        });
        Ok(Site(assets.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_hash_lasts_while_the_hash_is_right() {
        let site = &*SITE;
        let (asset, lasting) = site.find("tertulia.js").unwrap();
        assert!(!lasting);
        let rows = [
            (format!("tertulia.{}.js", asset.hash), Some(true)),
            ("tertulia.0123456789abcdef.js".to_owned(), Some(false)),
            ("tertulia.0123456789abcdeg.js".to_owned(), None),
            ("tertulia.0123.js".to_owned(), None),
            ("nothing.0123456789abcdef.js".to_owned(), None),
            ("packs/chat.js".to_owned(), Some(false)),
            ("chat/chat.js".to_owned(), None),
            ("../Cargo.toml".to_owned(), None),
            ("README.md".to_owned(), None),
        ];
        for (path, expected) in rows {
            assert_eq!(site.find(&path).map(|(_, lasting)| lasting), expected, "{path}");
        }
    }

    #[test]
    fn every_long_file_is_there_compressed() {
        for (name, asset) in &SITE.0 {
            if asset.plain.len() > 500 {
                assert!(asset.brotli.len() < asset.gzip.len() && asset.gzip.len() < asset.plain.len(), "{name}");
                assert!(!asset.brotli.is_empty(), "{name}");
            }
        }
    }
}
