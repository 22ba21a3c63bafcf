//! One tenant's unanswered questions. Pure: it says which groups have to be written down anew.
//! Invariant: there are at most [`limits::UNANSWERED_MAX`] groups, each with at least one place.

use std::collections::HashMap;

use schema::wire::UnansweredQuestion;
use schema::{ConversationId, Seq, Timestamp, limits};

use super::group::{Group, Place};
use super::likeness::key_of;

/// Groups that stay however seldom they were asked for, as they are new.
const NEWEST_KEPT: usize = limits::UNANSWERED_MAX / 4;

/// All groups of one tenant, by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    groups: HashMap<String, Group>,
}

/// A group that has to be written down, or forgotten.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The group under this key is new or changed: its record is written.
    Keep(String, Group),
    /// The group with this key is gone: its record is deleted.
    Drop(String),
}

impl Board {
    /// The groups as they were written down.
    #[must_use]
    pub fn from_groups(groups: impl IntoIterator<Item = (String, Group)>) -> Self {
        Self { groups: groups.into_iter().filter(|(_, group)| !group.places.is_empty()).collect() }
    }

    /// Number of groups.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there is no group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// A question was not answered. The same place twice changes nothing.
    pub fn add(&mut self, place: Place) -> Vec<Change> {
        let key = key_of(&place.words);
        let group = match self.groups.get_mut(&key) {
            Some(group) => {
                if !group.add(place) {
                    return Vec::new();
                }
                group.clone()
            }
            None => {
                let group = Group::new(place);
                self.groups.insert(key.clone(), group.clone());
                group
            }
        };
        let Some(least) = self.surplus() else { return vec![Change::Keep(key, group)] };
        self.groups.remove(&least);
        // One that goes at once was never written down.
        if least == key { Vec::new() } else { vec![Change::Keep(key, group), Change::Drop(least)] }
    }

    /// The group that is missed least, if there is one too many. What was judged wrong goes last, then what was asked
    /// often, then what is new. The newest have time to be asked again: else nothing new would come in any more.
    fn surplus(&self) -> Option<String> {
        if self.groups.len() <= limits::UNANSWERED_MAX {
            return None;
        }
        let mut by_age: Vec<(Timestamp, &String, &Group)> =
            self.groups.iter().map(|(key, group)| (group.last_at(), key, group)).collect();
        by_age.sort_unstable_by_key(|(at, key, _)| (*at, *key));
        by_age.truncate(by_age.len() - NEWEST_KEPT);
        let is_wrong = |group: &Group| group.places.iter().any(|place| place.wrong);
        let least = by_age.into_iter().min_by_key(|(at, key, group)| (is_wrong(group), group.count, *at, *key));
        least.map(|(_, key, _)| key.clone())
    }

    /// Removes a group: its question was answered or dismissed.
    pub fn dismiss(&mut self, key: &str) -> Option<Change> {
        self.groups.remove(key).map(|_| Change::Drop(key.to_owned()))
    }

    /// Forgets every place in a conversation that is erased.
    pub fn forget(&mut self, conversation: ConversationId) -> Vec<Change> {
        self.forget_where(|place| place.conversation == conversation)
    }

    /// A reply was right after all.
    pub fn withdraw(&mut self, conversation: ConversationId, seq: Seq) -> Vec<Change> {
        self.forget_where(|place| place.is(conversation, seq))
    }

    fn forget_where(&mut self, gone: impl Fn(&Place) -> bool) -> Vec<Change> {
        let mut changes = Vec::new();
        self.groups.retain(|key, group| {
            if group.forget(&gone) {
                let empty = group.places.is_empty();
                let key = key.clone();
                changes.push(if empty { Change::Drop(key) } else { Change::Keep(key, group.clone()) });
            }
            !group.places.is_empty()
        });
        changes
    }

    /// A page, newest first: behind what `after` names (a row's moment and key), at most `limit`.
    #[must_use]
    pub fn page(&self, after: Option<(Timestamp, &str)>, limit: usize) -> Vec<UnansweredQuestion> {
        let mut rows: Vec<(Timestamp, &str, &Group)> =
            self.groups.iter().map(|(key, group)| (group.last_at(), key.as_str(), group)).collect();
        rows.sort_unstable_by(|one, other| (other.0, other.1).cmp(&(one.0, one.1)));
        let behind = rows.into_iter().filter(|row| after.is_none_or(|after| (row.0, row.1) < after));
        behind.take(limit).map(|(_, key, group)| group.view(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(conversation: ConversationId, seq: Seq, words: &str) -> Place {
        Place { conversation, seq, at: Timestamp::from_millis(seq as i64), words: words.into(), wrong: false }
    }

    /// What was written down, as a store would have it.
    fn write(stored: &mut HashMap<String, Group>, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Keep(key, group) => drop(stored.insert(key, group)),
                Change::Drop(key) => assert!(stored.remove(&key).is_some(), "{key} was never written"),
            }
        }
    }

    #[test]
    fn like_questions_are_one_and_places_are_bounded() {
        let mut board = Board::default();
        let ids: Vec<_> = (0..30).map(|_| ConversationId::generate()).collect();
        for (n, id) in (1..).zip(&ids) {
            let words = if n % 2 == 0 { "Do you ship to Norway?" } else { "ship to norway" };
            assert_eq!(board.add(place(*id, n, words)).len(), 1);
            assert_eq!(board.add(place(*id, n, words)), [], "the same place again");
        }
        let page = board.page(None, 10);
        let [row] = &page[..] else { panic!("{page:?}") };
        assert_eq!((row.count, row.question.as_str(), row.wrong), (30, "Do you ship to Norway?", false));
        assert_eq!(row.conversations.len(), limits::UNANSWERED_PLACES_MAX);
        assert_eq!((row.conversations[0].id, row.conversations[0].seq), (ids[29], 30));
        // The wording of who is erased goes with them.
        board.forget(ids[29]);
        let row = &board.page(None, 10)[0];
        assert_eq!((row.count, row.question.as_str(), row.last_at.as_millis()), (29, "ship to norway", 29));
        for id in &ids {
            board.forget(*id);
        }
        assert!(board.is_empty(), "nobody is left whose words these were");
    }

    #[test]
    fn a_wrong_reply_joins_and_a_right_one_leaves() {
        let (mut board, id) = (Board::default(), ConversationId::generate());
        let wrong = || Place { wrong: true, ..place(id, 4, "Where is the shop?") };
        board.add(place(id, 4, "Where is the shop?"));
        assert_eq!(board.add(wrong()).len(), 1);
        assert_eq!(board.add(wrong()), []);
        let row = &board.page(None, 1)[0];
        assert_eq!((row.count, row.wrong), (1, true));
        assert_eq!(board.withdraw(id, 5), []);
        assert_eq!(board.withdraw(id, 4).len(), 1);
        assert!(board.is_empty());
    }

    #[test]
    fn noise_pushes_out_noise() {
        let (mut board, id) = (Board::default(), ConversationId::generate());
        let most = limits::UNANSWERED_MAX as Seq;
        board.add(Place { wrong: true, ..place(id, 1, "judged wrong") });
        board.add(place(id, 2, "often asked"));
        board.add(place(id, 3, "often asked"));
        board.add(place(id, 4, "seldom asked"));
        let has = |board: &Board, words: &str| board.groups.contains_key(&key_of(words));
        for n in 5..3 * most {
            board.add(place(id, n, &format!("noise {n}")));
            assert!(has(&board, &format!("noise {n}")), "what is new comes in");
        }
        assert_eq!(board.len(), limits::UNANSWERED_MAX);
        for (words, stays) in [("judged wrong", true), ("often asked", true), ("seldom asked", false)] {
            assert_eq!(has(&board, words), stays, "{words}");
        }
        // Full of what is asked again and again: something new still gets its time.
        for n in 1..=2 * most {
            board.add(place(id, 3 * most + 2 * n, &format!("again {n}")));
            board.add(place(id, 3 * most + 2 * n + 1, &format!("again {n}")));
        }
        assert!(has(&board, "judged wrong") && !has(&board, "noise 5"));
        board.add(place(id, 9 * most, "brand new"));
        board.add(place(id, 9 * most + 1, "still newer"));
        assert!(has(&board, "brand new"));
    }

    #[test]
    fn the_newest_thousand_are_kept_and_paged() {
        let (mut board, mut stored) = (Board::default(), HashMap::new());
        let id = ConversationId::generate();
        let all = limits::UNANSWERED_MAX as Seq + 1;
        for n in 1..=all {
            write(&mut stored, board.add(place(id, n, &format!("question {n}"))));
        }
        // Older than all that is there: it goes at once.
        write(&mut stored, board.add(place(id, 1, "question 1")));
        assert_eq!((board.len(), stored.len()), (limits::UNANSWERED_MAX, limits::UNANSWERED_MAX));
        assert_eq!(Board::from_groups(stored.clone()), board, "what is written down is what there is");
        let mut seen = Vec::new();
        let mut after: Option<(Timestamp, String)> = None;
        loop {
            let page = board.page(after.as_ref().map(|(at, key)| (*at, key.as_str())), 300);
            let Some(last) = page.last() else { break };
            after = Some((last.last_at, last.key.clone()));
            seen.extend(page.iter().map(|row| row.last_at.as_millis() as Seq));
        }
        assert_eq!(seen, (2..=all).rev().collect::<Vec<_>>());
        let key = key_of("question 7");
        write(&mut stored, board.dismiss(&key).into_iter().collect());
        assert_eq!(board.dismiss(&key), None);
        write(&mut stored, board.forget(id));
        assert!(board.is_empty() && stored.is_empty());
    }
}
