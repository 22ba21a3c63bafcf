// How the line to the node is: whether it is down, and what there is to say of it.

import { t } from './texts.js';

/** A first connection that takes so long is as good as none. */
const SLOW_MS = 1_200;

/** Fires `change` when there is something else to say. */
export class Line extends EventTarget {
  /** Whether it was lost, or has not been there yet, and is not back. */
  down = false;
  #client;
  #slow = 0;
  #away = new AbortController();

  constructor(client) {
    super();
    this.#client = client;
    const { signal } = this.#away;
    client.addEventListener('state', ({ detail }) => this.#state(detail), { signal });
    for (const type of ['online', 'offline']) addEventListener(type, () => this.#tell(), { signal });
  }

  /** Nothing where it is simply there. */
  get text() {
    if (this.#client.state === 'refused') return t('line.refused');
    if (!this.down) return '';
    if (!navigator.onLine) return t('line.offline');
    return t(this.#client.state === 'silent' ? 'line.silent' : 'line.lost');
  }

  leave() {
    clearTimeout(this.#slow);
    this.#away.abort();
  }

  #state({ state }) {
    clearTimeout(this.#slow);
    if (state === 'connecting') {
      this.#slow = setTimeout(() => {
        this.down = true;
        this.#tell();
      }, SLOW_MS);
    } else this.down = state !== 'open';
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new CustomEvent('change'));
  }
}
