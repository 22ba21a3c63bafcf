//! Parts of a page that are not learned, grouped by element and reason.

use schema::wire::{self, LeftOutReason};

use super::{LeftOut, WhyLeftOut};

/// Parts of one page by sort, in the order in which each sort stands there first. A page tells of few parts.
#[must_use]
pub fn by_sort(parts: &[LeftOut]) -> Vec<wire::LeftOut> {
    let mut sorts: Vec<wire::LeftOut> = Vec::new();
    for LeftOut { what, why, chars } in parts {
        let reason = why.reason();
        match sorts.iter_mut().find(|known| known.reason == reason && known.what == *what) {
            Some(known) => {
                known.parts += 1;
                known.characters += chars;
            }
            None => {
                let (what, why) = (what.clone(), why.to_string());
                sorts.push(wire::LeftOut { what, reason, why, parts: 1, characters: *chars });
            }
        }
    }
    sorts
}

impl WhyLeftOut {
    const fn reason(self) -> LeftOutReason {
        match self {
            Self::Hidden => LeftOutReason::Hidden,
            Self::Navigation => LeftOutReason::Navigation,
            Self::Links => LeftOutReason::Links,
            Self::Edge => LeftOutReason::Edge,
            Self::Form => LeftOutReason::Form,
            Self::Dialog => LeftOutReason::Dialog,
            Self::Notice => LeftOutReason::Notice,
            Self::Outside => LeftOutReason::Outside,
            Self::Repeated => LeftOutReason::Repeated,
            Self::Unread => LeftOutReason::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_one_sort_are_one_row() {
        let part = |what: &str, why, chars| LeftOut { what: what.into(), why, chars };
        let parts = [
            part("nav.top", WhyLeftOut::Navigation, 40),
            part("div", WhyLeftOut::Hidden, 7),
            part("nav.top", WhyLeftOut::Navigation, 2),
            part("div", WhyLeftOut::Outside, 5),
        ];
        let rows: Vec<_> =
            by_sort(&parts).into_iter().map(|row| (row.what, row.reason, row.parts, row.characters)).collect();
        assert_eq!(
            rows,
            [
                ("nav.top".into(), LeftOutReason::Navigation, 2, 42),
                ("div".into(), LeftOutReason::Hidden, 1, 7),
                ("div".into(), LeftOutReason::Outside, 1, 5),
            ]
        );
        assert!(by_sort(&[]).is_empty());
    }
}
