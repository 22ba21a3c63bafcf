//! News of other nodes that were heard and are not followed yet.
//! Invariant: bounded, whatever comes; what is about the same is one, and is never followed twice at the same time.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use engine_cluster::ChangeKind;
use schema::TenantId;

/// What is followed at once and waits, together; past it everything is looked at.
const SUBJECTS_MAX: usize = 1_024;
/// Ids of one subject; past it all of that subject are looked at.
const IDS_MAX: usize = 64;

/// What news are about.
pub(super) type Subject = (ChangeKind, TenantId);

/// Which of a subject's have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ids {
    /// These.
    Of(BTreeSet<String>),
    /// Any of them.
    Any,
}

/// News by their subjects. A subject that is being followed waits, with all that comes of it meanwhile, until that is done.
#[derive(Default)]
pub(super) struct Heard {
    /// Subjects whose turn comes, the first one first; each of them has its ids, and is followed by nobody.
    turns: VecDeque<Subject>,
    ids: HashMap<Subject, Ids>,
    followed: HashSet<Subject>,
}

impl Heard {
    /// More was heard; false where there is no room to remember it.
    pub(super) fn add(&mut self, subject: Subject, id: String) -> bool {
        if !self.followed.contains(&subject) && !self.ids.contains_key(&subject) {
            if self.turns.len() + self.followed.len() >= SUBJECTS_MAX {
                return false;
            }
            self.turns.push_back(subject);
        }
        let ids = self.ids.entry(subject).or_insert_with(|| Ids::Of(BTreeSet::new()));
        if let Ids::Of(these) = ids {
            these.insert(id);
            if these.len() > IDS_MAX {
                *ids = Ids::Any;
            }
        }
        true
    }

    /// What is to be followed next, from now on until it is [`done`](Self::done).
    pub(super) fn next(&mut self) -> Option<(Subject, Ids)> {
        let subject = self.turns.pop_front()?;
        self.followed.insert(subject);
        Some((subject, self.ids.remove(&subject).unwrap_or(Ids::Any)))
    }

    /// A subject was followed.
    pub(super) fn done(&mut self, subject: Subject) {
        self.followed.remove(&subject);
        if self.ids.contains_key(&subject) {
            self.turns.push_back(subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ids: &[&str]) -> Ids {
        Ids::Of(ids.iter().map(|id| (*id).to_owned()).collect())
    }

    #[test]
    fn what_is_about_the_same_is_followed_once_and_one_after_the_other() {
        let (mut heard, subject) = (Heard::default(), (ChangeKind::Contact, TenantId::generate()));
        let other = (ChangeKind::Profile, subject.1);
        for (of, id) in [(subject, "a"), (other, ""), (subject, "b"), (subject, "a")] {
            assert!(heard.add(of, id.into()));
        }
        assert_eq!(heard.next(), Some((subject, of(&["a", "b"]))));
        assert!(heard.add(subject, "c".into()));
        assert_eq!(heard.next(), Some((other, of(&[""]))));
        assert_eq!(heard.next(), None, "followed twice at the same time");
        heard.done(other);
        heard.done(subject);
        assert_eq!(heard.next(), Some((subject, of(&["c"]))));
        heard.done(subject);
        assert_eq!(heard.next(), None);
    }

    #[test]
    fn whatever_comes_is_bounded() {
        let mut heard = Heard::default();
        let subject = (ChangeKind::Logout, TenantId::generate());
        for n in 0..=IDS_MAX {
            assert!(heard.add(subject, n.to_string()));
        }
        assert_eq!(heard.next(), Some((subject, Ids::Any)));
        for _ in 1..SUBJECTS_MAX {
            assert!(heard.add((ChangeKind::Key, TenantId::generate()), String::new()));
        }
        assert!(!heard.add((ChangeKind::Key, TenantId::generate()), String::new()));
        assert!(heard.add(subject, "again".into()), "what is known already takes no room");
        heard.done(subject);
        assert!(!heard.add((ChangeKind::Key, TenantId::generate()), String::new()));
        while let Some((subject, _)) = heard.next() {
            heard.done(subject);
        }
        assert!(heard.add((ChangeKind::Key, TenantId::generate()), String::new()));
    }
}
