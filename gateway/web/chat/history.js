// The list of a visitor's own conversations, each under the first thing they said in it.
// Invariant: what the node says is not theirs, or no longer there, is not on the screen, nor are its words kept.

import { eventsBetween } from '../log.js';
import { h } from '../ui/dom.js';

const SHOWN = 30;
const AT_ONCE = 4;
const TITLE_CHARS = 80;
/** The first words are among the first events. */
const TITLE_EVENTS = 5;
/** The node's list follows what is said: so long it may not have it yet. */
const LAG_MS = 2_000;

export class History {
  #client;
  #words;
  #titles = new Map();
  #marked = null;
  #listed = [];
  #before = null;
  /** The newest question to the node; answers to earlier ones are not waited for. */
  #asked = null;

  constructor({ client, words }) {
    this.#client = client;
    this.#words = words;
    this.list = h('ul', {});
    this.none = h('p', { class: 'none', hidden: true }, words('noHistory'));
    this.more = h('button', { class: 'quiet', type: 'button', hidden: true, onclick: () => this.#more() }, words('more'));
    this.element = h('div', { class: 'history' }, this.list, this.none, this.more);
  }

  /** Asks anew for as many as are shown; a failure leaves what is shown, the next call mends it. */
  async refresh() {
    const asked = (this.#asked = { at: performance.now() });
    const many = Math.max(this.#listed.length, 1);
    const listed = [];
    let before = null;
    try {
      do before = await this.#page(listed, before); while (before && listed.length < many);
    } catch {
      return;
    }
    if (this.#asked !== asked) return;
    const fresh = this.#listed.filter(({ id, touched }) => touched > asked.at - LAG_MS && !listed.some((one) => one.id === id));
    this.#listed = [...fresh, ...listed];
    this.#before = before;
    const there = new Set(this.#listed.map(({ id }) => id));
    for (const id of this.#titles.keys()) if (!there.has(id)) this.#titles.delete(id);
    this.#draw();
    await this.#name();
  }

  /** One is gone, or is not the visitor's any more. Others may be, too. */
  drop(id) {
    this.#listed = this.#listed.filter((one) => one.id !== id);
    this.#titles.delete(id);
    this.#draw();
    return this.refresh();
  }

  /** Which one is shown beside the list. */
  mark(id) {
    this.#marked = id;
    this.#draw();
  }

  /** Something was said in a conversation: it goes to the top, and is marked where it is the one that is shown. */
  touch(conversation, shown) {
    const first = conversation.entries.find((entry) => entry.author === 'contact');
    if (first) this.#titles.set(conversation.id, cut(first.text));
    this.#listed = [{ id: conversation.id, head: conversation.head, last_at: new Date().toISOString(), touched: performance.now() }, ...this.#listed.filter(({ id }) => id !== conversation.id)];
    this.mark(shown ? conversation.id : this.#marked);
  }

  async #more() {
    const asked = (this.#asked = { at: performance.now() });
    const listed = [...this.#listed];
    let before;
    try {
      before = await this.#page(listed, this.#before);
    } catch {
      return;
    }
    if (this.#asked !== asked) return;
    this.#listed = listed;
    this.#before = before;
    this.#draw();
    await this.#name();
  }

  /** Adds a page to a list. Answers with where the next one begins. */
  async #page(listed, before) {
    const page = await this.#client.request(`/v1/conversations?limit=${SHOWN}${before ? `&before=${encodeURIComponent(before)}` : ''}`);
    const known = new Set(listed.map(({ id }) => id));
    // One that was opened and never spoken in is not worth a line.
    listed.push(...page.conversations.filter(({ id, head }) => head > 1 && !known.has(id)));
    return page.next ?? null;
  }

  async #name() {
    const untitled = this.#listed.filter(({ id }) => !this.#titles.has(id));
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let one; (one = untitled.shift());) await this.#title(one.id);
    }));
  }

  async #title(id) {
    try {
      const read = (after, limit) => this.#client.request(`/v1/conversations/${id}/events?after=${after}&limit=${limit}`);
      let title = this.#words('untitled');
      for await (const event of eventsBetween(read, 0, TITLE_EVENTS)) {
        if (event.type !== 'message' || event.author !== 'contact') continue;
        title = cut(event.text);
        break;
      }
      // It may have gone meanwhile.
      if (!this.#listed.some((one) => one.id === id)) return;
      this.#titles.set(id, title);
      this.#draw();
    } catch (error) {
      // Without its words it stands there with its date.
      if (error.code !== 'unknown_conversation') return;
      this.#listed = this.#listed.filter((one) => one.id !== id);
      this.#draw();
    }
  }

  #draw() {
    const focused = this.list.getRootNode().activeElement?.getAttribute('href');
    this.none.hidden = this.#listed.length > 0;
    this.more.hidden = !this.#before;
    this.list.replaceChildren(...this.#listed.map(({ id, last_at: at }) => h('li', {},
      h('a', { href: `#${id}`, 'aria-current': id === this.#marked ? 'page' : undefined },
        h('span', { class: 'title', dir: 'auto' }, this.#titles.get(id) ?? this.#words('untitled')),
        h('time', { datetime: at }, this.#when(new Date(at)))))));
    if (focused) this.list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  #when(at) {
    const today = new Date().toDateString() === at.toDateString();
    return today ? at.toLocaleTimeString(this.#words.locale, { hour: '2-digit', minute: '2-digit' })
      : at.toLocaleDateString(this.#words.locale, { day: 'numeric', month: 'short' });
  }
}

function cut(text) {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > TITLE_CHARS ? `${line.slice(0, TITLE_CHARS)}…` : line;
}
