//! What a stream takes back of what it gave.

use super::Chunk;

/// Nobody has seen anything yet, so that what is taken back need not show.
pub(super) fn take_back(chunks: Vec<Chunk>) -> Vec<Chunk> {
    let mut kept: Vec<Chunk> = Vec::new();
    for chunk in chunks {
        let Chunk::Unsaid { mut bytes } = chunk else {
            kept.push(chunk);
            continue;
        };
        for chunk in kept.iter_mut().rev() {
            let Chunk::Text(text) = chunk else { continue };
            let rest = text.len().saturating_sub(bytes);
            bytes -= text.len() - rest;
            text.truncate(rest);
        }
        kept.retain(|chunk| !matches!(chunk, Chunk::Text(text) if text.is_empty()));
    }
    kept
}
