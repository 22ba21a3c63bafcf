// What was said and is not answered yet, where it outlives the page.

export class Unsent {
  #storage;

  /** `storage` is a `Storage`, or null to keep nothing. */
  constructor(storage) {
    this.#storage = storage;
  }

  /** What was kept for a conversation; without an id, for those that are not opened yet. */
  load(id) {
    try {
      const kept = JSON.parse(this.#storage?.getItem(key(id)) ?? '[]');
      // Others write there too: what is no message of ours is none.
      return Array.isArray(kept) ? kept.filter(sayable) : [];
    } catch {
      return [];
    }
  }

  save(id, messages) {
    try {
      if (messages.length) this.#storage?.setItem(key(id), written(messages));
      else this.#storage?.removeItem(key(id));
    } catch {
      // A full or forbidden storage costs the reload in mid-send, nothing else.
    }
  }
}

/** The page's own `toJSON`, on arrays or on all objects, has no say in it. */
function written(messages) {
  return `[${messages.map(({ ref, text, agent }) => JSON.stringify({ __proto__: null, ref, text, agent })).join(',')}]`;
}

function sayable(one) {
  return typeof one?.ref === 'string' && one.ref !== '' && typeof one.text === 'string' && ['undefined', 'string'].includes(typeof one.agent);
}

function key(id) {
  return `tertulia:unsent:${id ?? 'new'}`;
}
