//! Words that were struck through, taken out of a text while it is put together.
//! Invariant: only what is between both marks goes; a mark that is never closed takes nothing away.

/// Tags that strike words through.
const TAGS: [&str; 3] = ["s", "del", "strike"];
/// The place of `~~` among the marks.
const TILDES: usize = TAGS.len();

/// Marks that are open, and where the text stood when they were opened.
#[derive(Default)]
pub(super) struct Struck {
    open: [(usize, usize); TAGS.len() + 1],
}

impl Struck {
    /// A tag was read where the text has `length` bytes; gives the length it is to be cut to.
    pub(super) fn tag(&mut self, markup: &str, length: usize) -> Option<usize> {
        let after = markup.strip_prefix('<')?;
        let (closes, name) = after.strip_prefix('/').map_or((false, after), |name| (true, name));
        let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let mark = TAGS.iter().position(|tag| tag.eq_ignore_ascii_case(name))?;
        if closes {
            return self.close(mark);
        }
        // A tag that closes itself strikes nothing.
        if !markup.ends_with("/>") {
            self.open(mark, length);
        }
        None
    }

    /// `~~` was opened.
    pub(super) fn begin(&mut self, length: usize) {
        self.open(TILDES, length);
    }

    /// `~~` was closed; gives the length to cut the text to.
    pub(super) fn end(&mut self) -> Option<usize> {
        self.close(TILDES)
    }

    fn open(&mut self, mark: usize, length: usize) {
        let (depth, from) = &mut self.open[mark];
        if *depth == 0 {
            *from = length;
        }
        *depth += 1;
    }

    fn close(&mut self, mark: usize) -> Option<usize> {
        let (depth, from) = &mut self.open[mark];
        *depth = depth.checked_sub(1)?;
        if *depth > 0 {
            return None;
        }
        let from = *from;
        // Marks that were opened within begin where the text ends now.
        self.open.iter_mut().for_each(|(_, other)| *other = (*other).min(from));
        Some(from)
    }
}
