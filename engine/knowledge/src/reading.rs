//! A document as it was learned, for a team that checks what the assistant knows.
//! Invariant: one document is read, by its name, and a page of it is given: the work and the answer are bounded
//! by what one document may be.

use schema::limits::PAGE_BYTES_MAX;
use schema::wire::{DocumentFacts, DocumentMarkdown, DocumentPage, DocumentView};
use schema::{Passage, Text};

use super::blocks::OUTLINE_MARK;
use super::chunk::pieces;
use super::records::Facts;
use super::work::Work;
use super::{KnowledgeError, index};

/// What is known of a document, and up to `limit` of its passages behind number `after`; none when it was not
/// learned.
pub(super) fn page(
    work: &Work,
    source: &str,
    after: usize,
    limit: usize,
) -> Result<Option<DocumentPage>, KnowledgeError> {
    let Some((facts, text)) = work.whole(source)? else { return Ok(None) };
    let Facts { source, learned_at, bytes, left_out, .. } = facts;
    // Lists of its own titles serve the search: the owner sees the titles themselves.
    let mut pieces = pieces(&source, &text);
    pieces.retain(|piece| !piece.text.starts_with(OUTLINE_MARK));
    drop(text);
    let language = index::language_of(&pieces).code().to_owned();
    let passage = |n: u32, heading: &str, text: &str| Passage {
        n,
        source: source.clone(),
        heading: heading.to_owned(),
        text: Text::from(text),
    };
    let first = passage(1, pieces.first().map_or("", |piece| &piece.heading), "");
    let passages = (1..).zip(&pieces).skip(after).take(limit);
    let passages: Vec<Passage> = passages.map(|(n, piece)| passage(n, &piece.heading, &piece.text)).collect();
    let reached = after.saturating_add(passages.len());
    let document = DocumentFacts {
        title: first.title().to_owned(),
        address: first.address().map(str::to_owned),
        language,
        left_out,
        view: DocumentView { source: source.clone(), passages: pieces.len(), bytes, learned_at },
    };
    Ok(Some(DocumentPage { document, passages, next: (reached < pieces.len()).then_some(reached) }))
}

/// A piece of a document's text from byte `after` on, ending with a line where one ends there; none when the
/// document was not learned.
pub(super) fn markdown(work: &Work, source: &str, after: usize) -> Result<Option<DocumentMarkdown>, KnowledgeError> {
    Ok(work.whole(source)?.map(|(_, text)| piece(&text, after)))
}

fn piece(text: &str, after: usize) -> DocumentMarkdown {
    let rest = &text[text.floor_char_boundary(after)..];
    let room = &rest[..rest.floor_char_boundary(PAGE_BYTES_MAX)];
    let end = match room.rfind('\n') {
        Some(line) if room.len() < rest.len() => line + 1,
        _ => room.len(),
    };
    let next = (end < rest.len()).then_some(text.len() - rest.len() + end);
    DocumentMarkdown { markdown: Text::from(&rest[..end]), next }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine_store::memory::MemoryStore;
    use schema::wire::{LeftOut, LeftOutReason};
    use schema::{TenantId, Timestamp};

    use super::super::{Document, Knowledge};
    use super::*;

    fn knowledge(data: &tempfile::TempDir) -> Knowledge {
        Knowledge::open(data.path(), Arc::new(MemoryStore::default()))
    }

    fn left_out(what: &str) -> Vec<LeftOut> {
        let (what, why) = (what.to_owned(), "it is a form".to_owned());
        vec![LeftOut { what, reason: LeftOutReason::Form, why, parts: 2, characters: 31 }]
    }

    #[tokio::test]
    async fn a_document_is_shown_page_by_page_as_it_was_cut() {
        let data = tempfile::tempdir().unwrap();
        let (knowledge, tenant, now) = (knowledge(&data), TenantId::generate(), Timestamp::from_millis(7));
        let source = "https://shop.example/envios";
        let rows: String =
            (1..=40).map(|n| format!("## Zona {n}\n\nEl envío a la zona {n} cuesta {n} €.\n\n")).collect();
        let text = format!("# Envíos\n\nEnviamos a toda España.\n\n{rows}");
        let document = Document { left_out: left_out("form#order"), ..Document::new(source, text.as_str()) };
        let expected = document.passages();
        assert_eq!(expected.len(), 41);
        knowledge.learn(tenant, vec![document], now).await.unwrap();
        for limit in [1, 7, 41, 100] {
            let (mut shown, mut after) = (Vec::new(), 0);
            loop {
                let page = knowledge.document(tenant, source.into(), after, limit).await.unwrap().unwrap();
                let facts = page.document;
                assert_eq!((facts.title.as_str(), facts.address.as_deref()), ("Envíos", Some(source)));
                assert_eq!((facts.language.as_str(), facts.view.passages, facts.view.bytes), ("es", 41, text.len()));
                assert_eq!((facts.view.learned_at, facts.left_out), (now, left_out("form#order")));
                assert!(page.passages.len() <= limit);
                shown.extend(page.passages);
                let Some(next) = page.next else { break };
                after = next;
            }
            assert_eq!(shown, expected, "in pages of {limit}");
        }
        for after in [41, 42, usize::MAX] {
            let page = knowledge.document(tenant, source.into(), after, 5).await.unwrap().unwrap();
            assert!(page.passages.is_empty() && page.next.is_none(), "behind {after}");
        }
        for (tenant, source) in [(tenant, "https://shop.example/"), (TenantId::generate(), source)] {
            assert!(knowledge.document(tenant, source.into(), 0, 5).await.unwrap().is_none());
            assert!(knowledge.markdown(tenant, source.into(), 0).await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn what_is_left_out_is_kept_up_to_date_where_the_text_stays() {
        let data = tempfile::tempdir().unwrap();
        let (knowledge, tenant) = (knowledge(&data), TenantId::generate());
        for (at, what, text, changed) in [
            (1, "form#one", "# Hours\n\nOpen from nine to five.", true),
            (2, "form#two", "# Hours\n\nOpen from nine to five.", false),
            (3, "form#two", "# Hours\n\nOpen from nine to six.", true),
        ] {
            let document = Document { left_out: left_out(what), ..Document::new("hours.html", text) };
            let learned = knowledge.learn(tenant, vec![document], Timestamp::from_millis(at)).await.unwrap();
            assert_eq!(learned[0].changed, changed, "{at}");
            let page = knowledge.document(tenant, "hours.html".into(), 0, 5).await.unwrap().unwrap();
            assert_eq!(page.document.left_out, left_out(what), "{at}");
            // What was learned earlier was learned earlier.
            let learned_at = Timestamp::from_millis(if changed { at } else { at - 1 });
            assert_eq!((page.document.view.learned_at, page.passages[0].n), (learned_at, 1), "{at}");
            assert_eq!(knowledge.search(tenant, "When are you open?", 5).await.unwrap().len(), 1, "{at}");
        }
    }

    #[test]
    fn pieces_of_a_text_are_the_text() {
        for line in ["A line of several words, ends here.\n", "é", "\n"] {
            let text = line.repeat(2 * PAGE_BYTES_MAX / line.len() + 100);
            let (mut joined, mut after, mut pieces) = (String::new(), 0, 0);
            loop {
                let DocumentMarkdown { markdown, next } = piece(&text, after);
                assert!(markdown.bytes() <= PAGE_BYTES_MAX);
                joined.push_str(markdown.as_str());
                pieces += 1;
                let Some(next) = next else { break };
                assert!(!line.ends_with('\n') || markdown.as_str().ends_with('\n'));
                after = next;
            }
            assert!(joined == text && pieces == 3, "{pieces} pieces of {line:?}");
        }
        assert_eq!(piece("é", 1).markdown.as_str(), "é", "within a character is before it");
        assert_eq!(piece("short", usize::MAX), DocumentMarkdown { markdown: "".into(), next: None });
    }
}
