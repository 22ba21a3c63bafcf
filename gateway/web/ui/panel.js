// A whole chat in one element: the thread, the composer, and a line that tells how the connection is.
// The page and the widget put it where they want it.

import { setAccent } from './accent.js';
import { Composer } from './composer.js';
import { h, icon } from './dom.js';
import { Thread } from './thread.js';

/** A cut shorter than this is not worth a word. */
const PATIENCE_MS = 600;
/** A first connection that takes so long is as good as none. */
const SLOW_MS = 1_800;
const BACK_MS = 2_000;
/** Refusals that mean the page, and not who is speaking. */
const NOT_HERE = new Set(['origin_refused', 'tenant_disabled', 'not_found']);

export class Panel {
  #client;
  #words;
  #stop = null;
  #timer = 0;
  #wasOpen = false;
  #lost = false;
  #counting = 0;
  #away = new AbortController();

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
    const { signal } = this.#away;
    client.addEventListener('state', ({ detail }) => this.#state(detail), { signal });
    document.addEventListener('visibilitychange', () => this.#read(), { signal });
    for (const type of ['online', 'offline']) addEventListener(type, () => this.#state({ state: this.#client.state }), { signal });
    this.thread.scroller.addEventListener('scroll', () => this.#read(), { passive: true });
  }

  /** Shows nothing any more. */
  leave() {
    this.#away.abort();
    this.#stop?.abort();
    this.#soon(0);
    clearInterval(this.#counting);
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
    // Erased words go from the screen, too; what was never sent is still the visitor's.
    if (refusal.code === 'unknown_conversation') this.conversation.reset();
    const typing = this.composer.focused;
    this.composer.disabled = true;
    this.#say('warning', this.#words('gone'), this.#words('startNew'), () => this.fresh());
    // Who was typing goes on from here by one key, instead of into nothing.
    if (typing) this.notice.querySelector('button').focus({ preventScroll: true });
  }

  /** Tells how the line is, wherever it is not simply there. */
  #state({ state, error, retryAt, elsewhere }) {
    if (this.#lost || (state === 'closed' && !error)) return;
    const words = this.#words;
    const now = [words('retryNow'), () => this.#client.reconnect()];
    if (state === 'open') return this.#back();
    // Gone again before it was read: the new loss is told like any other.
    if (this.notice.dataset.sort === 'back') this.#say(null);
    if (state === 'refused' || state === 'closed') {
      this.thread.waiting = false;
      const why = NOT_HERE.has(error?.code) ? 'ended' : state === 'refused' ? 'unknown' : 'cutOff';
      return this.#say('warning', words(why), words('connectAgain'), () => {
        this.#say(null);
        this.#client.reconnect();
      });
    }
    if (state === 'waiting' && elsewhere) {
      return this.#say('elsewhere', words('elsewhere'), words('goOn'), () => {
        this.#client.reconnect();
        this.composer.focus();
      });
    }
    if (state === 'waiting' && error?.retryAfter) {
      this.#down('later', words('later'), ...now);
      return this.#count(retryAt);
    }
    // What was told stays until there is something better to tell.
    const { sort, text } = this.notice.dataset;
    if (navigator.onLine && text === words('offline')) return this.#down('lost', words('lost'), ...now);
    if (state === 'connecting' && sort) return;
    if (!navigator.onLine) return this.#down('lost', words('offline'), ...now);
    if (state === 'silent') return this.#down('lost', words('silent'), ...now);
    if (this.#timer || sort) return;
    this.#soon(PATIENCE_MS, () => {
      if (this.#wasOpen) return this.#down('lost', words('lost'), ...now);
      this.#say('connecting', words('connecting'));
      this.#soon(SLOW_MS - PATIENCE_MS, () => this.#down('lost', words('unreached'), ...now));
    });
  }

  #back() {
    const { sort } = this.notice.dataset;
    this.#wasOpen = true;
    this.thread.waiting = false;
    if (sort === 'back') return;
    if (!['lost', 'later'].includes(sort)) return this.#say(null);
    this.#say('back', this.#words('back'));
    this.#soon(BACK_MS, () => this.#say(null));
  }

  /** The line is down: it is said here, and at each message that waits for it. */
  #down(...notice) {
    this.thread.waiting = true;
    this.#say(...notice);
  }

  /** Counts the seconds down, for the eye only: read out they would be noise. */
  #count(until) {
    if (!until) return;
    const left = h('span', { class: 'left', 'aria-hidden': 'true' });
    this.notice.querySelector('.left')?.remove();
    this.notice.querySelector('.told')?.after(left);
    clearInterval(this.#counting);
    const written = new Intl.RelativeTimeFormat(this.#words.locale, { numeric: 'always', style: 'short' });
    const draw = () => {
      const seconds = Math.max(1, Math.round((until - Date.now()) / 1000));
      const when = seconds < 100 ? written.format(seconds, 'second') : written.format(Math.round(seconds / 60), 'minute');
      left.textContent = this.#words('nextTry', { when });
    };
    draw();
    this.#counting = setInterval(draw, 1000);
  }

  #soon(ms, act) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (ms) this.#timer = setTimeout(() => { this.#timer = 0; act(); }, ms);
  }

  /** Whatever was to be said, or wiped, in place of the notice before has nothing to do with this one. */
  #say(sort, text, action, act) {
    this.#soon(0);
    if (this.notice.dataset.sort === (sort ?? '') && this.notice.dataset.text === (text ?? '')) return;
    clearInterval(this.#counting);
    Object.assign(this.notice.dataset, { sort: sort ?? '', text: text ?? '' });
    this.notice.replaceChildren();
    if (!sort) return;
    const sign = sort === 'warning' ? icon('warning') : h('span', { class: 'pulse', 'aria-hidden': 'true' });
    this.notice.append(sign, h('span', { class: 'told', dir: 'auto' }, text));
    if (action) this.notice.append(h('button', { type: 'button', class: 'link', onclick: act }, action));
  }
}
