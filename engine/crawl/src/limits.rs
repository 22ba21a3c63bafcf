//! Bounds that a walk has hit, each with what it passed over: none is hit in silence.
//! Invariant: what is remembered is bounded; what is passed over twice counts once, as far as it is remembered.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use schema::counted;
use schema::wire::{LimitHit, LimitKind};

use super::fetch::PAGE_BYTES_MAX;

/// Addresses remembered as passed over.
const REMEMBERED_MAX: usize = 5_000;

/// A bound of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Limit {
    Pages(usize),
    Depth(usize),
    Queries(usize),
    Addresses(usize),
    AddressBytes(usize),
    Time(u64),
    Requests(usize),
    Sitemaps(usize),
    SitemapTime,
    SitemapPages(usize),
    AllSitemapPages(usize),
    SitemapUnread,
}

impl Limit {
    const fn kind(self) -> LimitKind {
        match self {
            Self::Pages(_) => LimitKind::Pages,
            Self::Depth(_) => LimitKind::Depth,
            Self::Queries(_) => LimitKind::Queries,
            Self::Addresses(_) => LimitKind::Addresses,
            // Of the kinds that have a name of their own, none counts bytes: its words say what it is.
            Self::AddressBytes(_) => LimitKind::Other,
            Self::Time(_) => LimitKind::Time,
            Self::Requests(_) => LimitKind::Requests,
            Self::Sitemaps(_) => LimitKind::Sitemaps,
            Self::SitemapTime => LimitKind::SitemapTime,
            Self::SitemapPages(_) | Self::AllSitemapPages(_) => LimitKind::SitemapPages,
            Self::SitemapUnread => LimitKind::SitemapUnread,
        }
    }

    fn most(self) -> Option<usize> {
        match self {
            Self::Pages(most)
            | Self::Depth(most)
            | Self::Queries(most)
            | Self::Addresses(most)
            | Self::Requests(most)
            | Self::Sitemaps(most)
            | Self::SitemapPages(most)
            | Self::AllSitemapPages(most) => Some(most),
            Self::Time(seconds) => usize::try_from(seconds / 60).ok(),
            Self::AddressBytes(_) | Self::SitemapTime | Self::SitemapUnread => None,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pages(most) => write!(f, "more than {}; `pages_max` raises this", counted(*most, "page")),
            Self::Depth(most) => {
                write!(f, "more than {} from the first page; `depth_max` raises this", counted(*most, "link"))
            }
            Self::Queries(most) => {
                write!(
                    f,
                    "more than {} of one path that differ in their query; `queries_max` raises this",
                    counted(*most, "page")
                )
            }
            Self::Addresses(most) => write!(f, "more than {} met", counted(*most, "address")),
            Self::AddressBytes(most) => write!(f, "addresses met that have more than {} MiB together", most >> 20),
            Self::Time(seconds) => {
                write!(f, "more than {} in all", counted(usize::try_from(seconds / 60).unwrap_or(usize::MAX), "minute"))
            }
            Self::Requests(most) => write!(f, "more than {}: too many led to no page", counted(*most, "request")),
            Self::Sitemaps(most) => write!(f, "more than {}", counted(*most, "sitemap")),
            Self::SitemapTime => write!(f, "sitemaps that took too long to read all"),
            Self::SitemapPages(most) => write!(f, "more than {} in one sitemap", counted(*most, "address")),
            Self::AllSitemapPages(most) => write!(f, "more than {} in all sitemaps", counted(*most, "address")),
            Self::SitemapUnread => {
                write!(f, "sitemaps that cannot be had, or are larger than {} MiB", PAGE_BYTES_MAX >> 20)
            }
        }
    }
}

/// Bounds that were hit.
#[derive(Debug, Default)]
pub(super) struct Hits {
    by_limit: BTreeMap<Limit, (usize, Option<String>)>,
    passed: HashSet<String>,
}

impl Hits {
    /// An address is passed over.
    pub(super) fn pass(&mut self, limit: Limit, address: &str) {
        if self.passed.contains(address) {
            return;
        }
        if self.passed.len() < REMEMBERED_MAX {
            self.passed.insert(address.to_owned());
        }
        let (count, example) = self.by_limit.entry(limit).or_default();
        *count += 1;
        example.get_or_insert_with(|| address.to_owned());
    }

    /// So many addresses are passed over; the number is the newest.
    pub(super) fn set(&mut self, limit: Limit, count: usize, example: Option<String>) {
        self.by_limit.insert(limit, (count, example));
    }

    pub(super) fn views(&self) -> Vec<LimitHit> {
        let view = |(limit, (count, example)): (&Limit, &(usize, Option<String>))| LimitHit {
            kind: limit.kind(),
            most: limit.most(),
            limit: limit.to_string(),
            passed_over: *count,
            example: example.clone(),
        };
        self.by_limit.iter().map(view).collect()
    }
}
