//! Text that is the same on most pages of a site (a banner, a newsletter, a notice): it is learned with one of
//! them. One pass: a block is judged by the pages met so far, those that wait to be learned together among them.
//! Invariant: only hashes are kept, of a bounded number of blocks; a short value of a page's own stays with it.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use engine_documents::{LeftOut, WhyLeftOut};

/// Blocks of a site that are remembered.
const BLOCKS_MAX: usize = 200_000;
/// Pages that a block stands on at least before it is taken for one of the site's.
const PAGES_MIN: usize = 3;
/// A shorter block may be a value of the page's own, such as `in stock`, in characters.
const CHARS_MIN: usize = 30;
/// Levels of headings.
const LEVELS: usize = 6;

/// What is known of a block.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    pages: usize,
    /// It was learned with some page.
    is_learned: bool,
}

/// The blocks of a site's pages.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    pages: usize,
    blocks: HashMap<u64, Met>,
}

/// A page as it is learned.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Learned {
    /// Its text without what other pages say; nothing where they say all of it.
    pub(super) text: Option<String>,
    pub(super) left_out: Vec<LeftOut>,
}

impl Repeated {
    /// A page is met: its blocks count.
    pub(super) fn meet(&mut self, markdown: &str) {
        self.pages += 1;
        let hashes: HashSet<u64> = blocks(markdown).map(|block| block.hash).collect();
        for hash in hashes {
            let has_room = self.blocks.len() < BLOCKS_MAX;
            if let Some(met) = self.blocks.get_mut(&hash) {
                met.pages += 1;
            } else if has_room {
                self.blocks.insert(hash, Met { pages: 1, is_learned: false });
            }
        }
    }

    /// A page that was met is learned: what most pages say is left out of it, unless it is the first with it.
    pub(super) fn learn(&mut self, markdown: String) -> Learned {
        let all: Vec<Block<'_>> = blocks(&markdown).collect();
        let gone = self.gone(&all);
        for block in &all {
            if let Some(met) = self.blocks.get_mut(&block.hash) {
                met.is_learned = true;
            }
        }
        if !gone.contains(&true) {
            return Learned { text: Some(markdown), left_out: Vec::new() };
        }
        let left = all.iter().zip(&gone).filter(|(_, gone)| !**gone).map(|(block, _)| block);
        let says = left.clone().any(|block| block.level == 0);
        let text = says.then(|| left.map(|block| block.whole).collect::<Vec<_>>().join("\n\n") + "\n");
        let told = all.iter().zip(&gone).filter(|(block, gone)| **gone && block.level == 0).map(|(block, _)| LeftOut {
            what: block.sort().to_owned(),
            why: WhyLeftOut::Repeated,
            chars: block.chars,
        });
        Learned { text, left_out: told.collect() }
    }

    /// Which blocks of a page are left out of it.
    fn gone(&self, all: &[Block<'_>]) -> Vec<bool> {
        let known: Vec<bool> = all.iter().map(|block| self.is_known(block)).collect();
        let mut gone = vec![false; all.len()];
        // Levels of the headings behind that stay, and stand below a higher one.
        let mut stays = [false; LEVELS + 1];
        let mut end = all.len();
        // A part is a heading with what stands below it, up to the next.
        for start in (0..all.len()).rev().filter(|at| *at == 0 || all[*at].level > 0) {
            let level = all[start].level;
            let body = start + usize::from(level > 0)..end;
            let chars: usize = all[body.clone()].iter().map(|block| block.chars).sum();
            let is_whole = known[start..end].iter().all(|known| *known) && chars >= CHARS_MIN;
            for at in body.clone().rev() {
                // What leads into something stays with it.
                let leads = all[at].words.ends_with(':') && at + 1 < end;
                gone[at] = known[at] && (is_whole || if leads { gone[at + 1] } else { all[at].chars >= CHARS_MIN });
            }
            let holds_more = stays[level + 1..].contains(&true);
            if level > 0 {
                // The page's own title stays.
                gone[start] = level > 1 && !body.is_empty() && !holds_more && gone[body].iter().all(|gone| *gone);
                stays[level + 1..].fill(false);
                stays[level] |= !gone[start];
            }
            end = start;
        }
        gone
    }

    /// Whether a block stands on most pages, and was learned with one of them.
    fn is_known(&self, block: &Block<'_>) -> bool {
        let met = self.blocks.get(&block.hash).copied().unwrap_or_default();
        met.is_learned && met.pages >= PAGES_MIN && met.pages * 2 > self.pages
    }
}

/// What stands between two empty lines of a text.
#[derive(Debug)]
struct Block<'a> {
    whole: &'a str,
    words: &'a str,
    /// The level of a heading; 0 for anything else.
    level: usize,
    chars: usize,
    hash: u64,
}

impl<'a> Block<'a> {
    fn new(whole: &'a str) -> Self {
        let words = whole.trim();
        let signs = words.bytes().take_while(|byte| *byte == b'#').count();
        let is_heading = (1..=LEVELS).contains(&signs) && words[signs..].starts_with(' ') && !words.contains('\n');
        // The same words may be a heading of another level on another page.
        let level = if is_heading { signs } else { 0 };
        let words = words[level..].trim_start();
        let mut hasher = DefaultHasher::new();
        (is_heading, words).hash(&mut hasher);
        Self { whole, words, level, chars: words.chars().count(), hash: hasher.finish() }
    }

    /// What it is, in a word.
    fn sort(&self) -> &'static str {
        match self.words.as_bytes().first() {
            Some(b'|') => "table",
            Some(b'-') if self.words.starts_with("- ") => "list",
            Some(b'0'..=b'9') if self.words.contains(".  ") => "list",
            Some(b'`') => "code",
            _ => "paragraph",
        }
    }
}

/// The blocks of a Markdown text; code between fences is one.
fn blocks(markdown: &str) -> impl Iterator<Item = Block<'_>> {
    let mut rest = markdown;
    std::iter::from_fn(move || {
        let (mut end, mut in_code) = (0, false);
        for line in rest.split_inclusive('\n') {
            in_code ^= line.trim_start().starts_with("```");
            end += line.len();
            if !in_code && line.trim().is_empty() {
                break;
            }
        }
        let (block, behind) = rest.split_at(end);
        rest = behind;
        (end > 0).then_some(block.trim_end())
    })
    .filter(|block| !block.trim().is_empty())
    .map(Block::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANNER: &str = "Free delivery on all orders over 50 EUR until Sunday.";
    const NEWS: &str = "## Newsletter\n\nOur news by mail.\n\n-   Once a month\n-   No tricks";

    /// What becomes of pages that are met together.
    fn learned(pages: &[&str]) -> Vec<(String, usize)> {
        let mut repeated = Repeated::default();
        pages.iter().for_each(|page| repeated.meet(page));
        let one = |page: &&str| {
            let Learned { text, left_out } = repeated.learn((*page).to_owned());
            (text.unwrap_or_default(), left_out.len())
        };
        pages.iter().map(one).collect()
    }

    fn page(title: &str, words: &str) -> String {
        format!("# {title}\n\n{BANNER}\n\n{words}\n\n{NEWS}\n")
    }

    #[test]
    fn what_stands_on_most_pages_is_learned_once() {
        let pages = [page("A", "Apples are red."), page("B", "Bread is brown."), page("C", "Cakes are sweet.")];
        let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
        assert_eq!(
            learned(&pages),
            [
                (pages[0].to_owned(), 0),
                ("# B\n\nBread is brown.\n".to_owned(), 3),
                ("# C\n\nCakes are sweet.\n".to_owned(), 3)
            ]
        );
        // Two pages are no site.
        assert_eq!(learned(&pages[..2]), [(pages[0].to_owned(), 0), (pages[1].to_owned(), 0)]);
    }

    #[test]
    fn what_is_a_pages_own_stays() {
        for (name, pages, expected) in [
            ("short values", ["# A\n\nIn stock", "# B\n\nIn stock", "# C\n\nIn stock"], "# C\n\nIn stock"),
            (
                "headings of something else",
                ["# A\n\n## Hours\n\nFrom nine.", "# B\n\n## Hours\n\nFrom ten.", "# C\n\n## Hours\n\nFrom two."],
                "# C\n\n## Hours\n\nFrom two.",
            ),
            (
                "what leads into something else",
                [
                    "# A\n\nOur hours in the summer of this year:\n\n-   9–5",
                    "# B\n\nOur hours in the summer of this year:\n\n-   9–6",
                    "# C\n\nOur hours in the summer of this year:\n\n-   9–7",
                ],
                "# C\n\nOur hours in the summer of this year:\n\n-   9–7",
            ),
            (
                "a heading with something below it",
                [
                    "# A\n\n## Care\n\nAll lamps are wiped with a dry cloth.\n\n### Glass\n\nWash it.",
                    "# B\n\n## Care\n\nAll lamps are wiped with a dry cloth.\n\n### Paper\n\nDust it.",
                    "# C\n\n## Care\n\nAll lamps are wiped with a dry cloth.\n\n### Wood\n\nOil it.",
                ],
                "# C\n\n## Care\n\n### Wood\n\nOil it.\n",
            ),
            (
                "code with empty lines in it",
                [
                    "# A\n\n```\na long line of a program\n\nx\n```",
                    "# B\n\n```\na long line of a program\n\ny\n```",
                    "# C\n\n```\na long line of a program\n\nz\n```",
                ],
                "# C\n\n```\na long line of a program\n\nz\n```",
            ),
        ] {
            assert_eq!(learned(&pages)[2].0, expected, "{name}");
        }
    }

    #[test]
    fn a_page_that_says_nothing_else_is_none() {
        let pages = [format!("# A\n\n{BANNER}\n"), format!("# B\n\n{BANNER}\n"), format!("# C\n\n{BANNER}\n")];
        let mut repeated = Repeated::default();
        pages.iter().for_each(|page| repeated.meet(page));
        let made: Vec<Learned> = pages.iter().map(|page| repeated.learn(page.clone())).collect();
        assert_eq!((made[0].text.as_deref(), &made[1].text), (Some(pages[0].as_str()), &None));
        let told = &made[2].left_out[0];
        assert_eq!(
            (told.what.as_str(), told.why, told.chars),
            ("paragraph", WhyLeftOut::Repeated, BANNER.chars().count())
        );
    }

    #[test]
    fn memory_is_bounded_and_pages_that_come_later_are_judged_by_all() {
        let mut repeated = Repeated::default();
        for n in 0..30 {
            let page: String = (0..10_000).map(|m| format!("Block {m} of page {n}, with words\n\n")).collect();
            repeated.meet(&page);
        }
        assert_eq!(repeated.blocks.len(), BLOCKS_MAX);
        let mut repeated = Repeated::default();
        let own = |n: usize| format!("# {n}\n\nPage {n} says this and nothing else.\n");
        for n in 0..10 {
            repeated.meet(&own(n));
            assert!(repeated.learn(own(n)).left_out.is_empty());
        }
        // Most pages have it only once most pages have it.
        for n in 10..30 {
            let page = format!("{}\n{BANNER}\n", own(n));
            repeated.meet(&page);
            assert_eq!(repeated.learn(page).left_out.len(), usize::from(n >= 20), "{n}");
        }
    }
}
