// The list of a visitor's own conversations, each under the first thing they said in it.

import { eventsBetween } from '../log.js';
import { h } from '../ui/dom.js';

const SHOWN = 30;
const AT_ONCE = 4;
const TITLE_CHARS = 80;
/** The first words are among the first events. */
const TITLE_EVENTS = 5;

export class History {
  #client;
  #words;
  #tenant;
  #titles = new Map();
  #marked = null;
  #listed = [];
  #before = null;

  constructor({ client, words, tenant }) {
    this.#client = client;
    this.#words = words;
    this.#tenant = tenant;
    this.list = h('ul', {});
    this.none = h('p', { class: 'none', hidden: true }, words('noHistory'));
    this.more = h('button', { class: 'quiet', type: 'button', hidden: true, onclick: () => this.#load(this.#before) }, words('more'));
    this.element = h('div', { class: 'history' }, this.list, this.none, this.more);
  }

  /** Asks for the newest; a failure leaves what is shown, the next call mends it. */
  async refresh() {
    this.#listed = [];
    await this.#load(null);
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
    this.#listed = [{ id: conversation.id, head: conversation.head, last_at: new Date().toISOString() }, ...this.#listed.filter(({ id }) => id !== conversation.id)];
    this.mark(shown ? conversation.id : this.#marked);
  }

  async #load(before) {
    let page;
    try {
      page = await this.#client.request(`/v1/conversations?limit=${SHOWN}${before ? `&before=${encodeURIComponent(before)}` : ''}`);
    } catch {
      return;
    }
    const known = new Set(this.#listed.map(({ id }) => id));
    // One that was opened and never spoken in is not worth a line.
    this.#listed.push(...page.conversations.filter(({ id, head }) => head > 1 && !known.has(id)));
    this.#before = page.next ?? null;
    this.#draw();
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
      this.#titles.set(id, title);
      this.#draw();
    } catch {
      // Without its words it stands there with its date.
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
