// Reads a stretch of a conversation's log over HTTP.

/** The most events the node gives in one page. */
const PAGE_MAX = 500;

/**
 * The events behind `after`, up to `to` inclusive. `read(after, limit)` fetches one page. A page is bounded
 * in bytes too and may hold fewer than asked for, so this goes on until it has them all.
 */
export async function* eventsBetween(read, after, to) {
  let at = after;
  while (at < to) {
    const { events } = await read(at, Math.min(to - at, PAGE_MAX));
    if (!events.length) return;
    for (const event of events) {
      if (event.seq > to) return;
      yield event;
    }
    at = events.at(-1).seq;
  }
}
