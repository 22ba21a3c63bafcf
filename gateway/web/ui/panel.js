// A whole chat in one element: the thread, the composer, and a line that tells how the connection is.
// The page and the widget put it where they want it.

import { setAccent } from './accent.js';
import { Composer } from './composer.js';
import { h, icon } from './dom.js';
import { Thread } from './thread.js';

/** A cut shorter than this is not worth a word. */
const PATIENCE_MS = 600;
const BACK_MS = 2_000;

export class Panel {
  #client;
  #words;
  #stop = null;
  #timer = 0;
  #wasOpen = false;
  #lost = false;

  /** `fresh()` is called when somebody wants a new conversation because this one is gone. */
  constructor({ client, words, look, draft = null, fresh = () => {} }) {
    this.#client = client;
    this.#words = words;
    this.fresh = fresh;
    this.conversation = null;
    const name = look.name || words('assistant');
    this.thread = new Thread({ words, name });
    this.thread.greet(h('p', { class: 'greeting', dir: 'auto' }, look.greeting || ''));
    this.composer = new Composer({
      words, draft,
      say: (text) => this.conversation.say(text).catch(() => {}),
      typing: (on) => this.conversation.typing(on),
      stop: () => this.conversation.cancel().catch(() => {}),
    });
    this.notice = h('div', { class: 'notice', role: 'status' });
    this.caution = h('p', { class: 'caution', dir: 'auto' }, words('caution', { name }));
    this.element = h('div', { class: 'panel' }, this.thread.element, h('div', { class: 'foot' }, this.notice, this.composer.element, this.caution));
    setAccent(this.element, look.color);
    client.addEventListener('state', ({ detail }) => this.#state(detail));
    document.addEventListener('visibilitychange', () => this.#read());
    this.thread.scroller.addEventListener('scroll', () => this.#read(), { passive: true });
  }

  show(conversation) {
    this.#stop?.abort();
    this.#stop = new AbortController();
    this.conversation = conversation;
    this.#lost = false;
    this.composer.disabled = false;
    this.thread.show(conversation);
    const on = (type, act) => conversation.addEventListener(type, act, { signal: this.#stop.signal });
    on('change', () => { this.composer.running = Boolean(conversation.running); });
    on('event', () => this.#read());
    on('caughtup', () => this.#read());
    on('error', ({ detail }) => detail.temporary || this.#gone(detail));
    this.composer.running = Boolean(conversation.running);
    this.#say(null);
    this.#soon(0);
    this.#state({ state: this.#client.state });
  }

  #read() {
    const { conversation } = this;
    if (!conversation?.head || conversation.replaying || conversation.head === conversation.seen) return;
    if (document.visibilityState !== 'visible' || !this.element.isConnected || !this.element.offsetParent || !this.thread.atEnd) return;
    conversation.seen = conversation.head;
    conversation.read(conversation.head);
    this.onread?.(conversation.head);
  }

  #gone(refusal) {
    if (refusal.code === 'bad_position') return;
    this.#lost = true;
    this.composer.disabled = true;
    this.#say('warning', this.#words('gone'), this.#words('startNew'), () => this.fresh());
  }

  #state({ state, error }) {
    const words = this.#words;
    if (this.#lost || (state === 'closed' && !error)) return;
    const now = [words('retryNow'), () => this.#client.reconnect()];
    if (state === 'open') {
      const back = this.#wasOpen && this.notice.dataset.sort === 'lost';
      this.#wasOpen = true;
      this.#soon(back && BACK_MS, () => this.#say(null));
      this.#say(back ? 'back' : null, back ? words('back') : null);
    } else if (state === 'closed') {
      this.#soon(0);
      this.#say('warning', words(error.code === 'origin_refused' ? 'ended' : 'cutOff'), ...now);
    } else this.#timer ||= setTimeout(() => this.#say('lost', words(this.#wasOpen ? 'lost' : 'connecting'), ...now), PATIENCE_MS);
  }

  #soon(ms, act) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (ms) this.#timer = setTimeout(() => { this.#timer = 0; act(); }, ms);
  }

  #say(sort, text, action, act) {
    if (this.notice.dataset.sort === (sort ?? '') && this.notice.dataset.text === (text ?? '')) return;
    Object.assign(this.notice.dataset, { sort: sort ?? '', text: text ?? '' });
    this.notice.replaceChildren();
    if (!sort) return;
    this.notice.append(sort === 'warning' ? icon('warning') : h('span', { class: 'pulse', 'aria-hidden': 'true' }), h('span', { dir: 'auto' }, text));
    if (action) this.notice.append(h('button', { type: 'button', class: 'link', onclick: act }, action));
  }
}
