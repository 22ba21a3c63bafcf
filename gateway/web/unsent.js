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
      return JSON.parse(this.#storage?.getItem(key(id)) ?? '[]');
    } catch {
      return [];
    }
  }

  save(id, messages) {
    try {
      if (messages.length) this.#storage?.setItem(key(id), JSON.stringify(messages));
      else this.#storage?.removeItem(key(id));
    } catch {
      // A full or forbidden storage costs the reload in mid-send, nothing else.
    }
  }
}

function key(id) {
  return `tertulia:unsent:${id ?? 'new'}`;
}
