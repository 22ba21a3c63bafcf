// Reads server-sent events from the body of a fetch, which unlike EventSource may send a key.
// Invariant: it yields whole events only; a cut in the middle of one loses that one, never splits it.

/** Yields `{id, data}` for each event; `id` is undefined when that event has none of its own. */
export async function* eventsIn(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  let id;
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === '') {
          if (data.length) yield { id, data: data.join('\n') };
          id = undefined;
          data = [];
          continue;
        }
        const colon = line.indexOf(':');
        const name = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
        if (name === 'id') id = text;
        if (name === 'data') data.push(text);
        // A comment is a sign of life, and whoever reads wants to know of it.
        if (colon === 0) yield { comment: text };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
