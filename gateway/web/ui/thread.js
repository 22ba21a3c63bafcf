// A conversation's entries on the page, kept in step with it. For tokens only the reply that runs
// is touched; the view goes along with it while the reader is at the end.

import { h, icon, naming } from './dom.js';
import { Entry } from './entry.js';
import { Follow } from './follow.js';

const TYPING_MS = 6_000;
/** So many pages of what was passed over are fetched to find one entry. */
const LEAD_PAGES = 20;

export class Thread {
  #words;
  #options;
  #conversation = null;
  #stop = null;
  #views = new Map();
  #dirty = new Set();
  #frame = 0;
  #follow;
  #typing = 0;
  #seen = 0;
  /** The entry whose words were told last. */
  #toldOf = null;

  /**
   * `own` is whose words stand at the end of the line: `contact`, or `human` for an agent, whom `me()` names:
   * colleagues' words are not one's own.
   * `all` shows also the passages that a reply had and does not name: they are the owner's.
   * `decorate(entry, element)` is called after an entry was drawn, for what a page adds.
   */
  constructor({ words, name = words('assistant'), own = 'contact', me = null, all = false, decorate = null }) {
    this.#words = words;
    this.#options = {
      words, name, own, all, decorate, waiting: false,
      mine: ({ author, agent }) => author === own && (own !== 'human' || agent === me()),
      retry: (ref) => this.#conversation.retry?.(ref), drop: (ref) => this.#conversation.drop(ref),
      again: (entry) => this.#again(entry),
      person: (entry) => this.#person(entry),
    };
    this.list = h('ol', { class: 'entries', role: 'list' });
    this.opening = h('div', { class: 'opening' });
    this.signs = h('p', { class: 'signs', hidden: true });
    this.earlier = h('button', { class: 'quiet earlier', type: 'button', hidden: true, onclick: () => this.#earlier() }, words('earlier'));
    // The log itself is not live: a reader would hear each token. What is finished is told once, here.
    this.told = h('div', { class: 'unseen', role: 'status', 'aria-live': 'polite' });
    this.scroller = h('div', { class: 'scroller', role: 'log', 'aria-live': 'off', 'aria-label': words('thread'), tabindex: '0' },
      h('div', { class: 'column' }, this.opening, this.earlier, this.list, this.signs));
    this.newer = h('button', { class: 'newer', type: 'button', hidden: true, onclick: () => this.toEnd(true) }, icon('down'), words('newer'));
    this.element = h('section', { class: 'thread', 'aria-label': words('thread') }, this.scroller, this.newer, this.told);
    this.#follow = new Follow(this.scroller, { changed: () => { if (this.atEnd) this.newer.hidden = true; } });
    const resized = new ResizeObserver(() => this.#follow.settle());
    resized.observe(this.list);
    resized.observe(this.scroller);
  }

  /** Whether the newest is in view. */
  get atEnd() {
    return this.#follow.atEnd;
  }

  /** Whether the line is down, so that what is being sent waits for it. */
  set waiting(waiting) {
    if (this.#options.waiting === waiting) return;
    this.#options.waiting = waiting;
    for (const { entry, retries } of this.#views.values()) if (entry.status === 'sending' || retries) this.#dirty.add(entry);
    this.#later();
  }

  set name(name) {
    this.#options.name = name;
    this.refresh();
  }

  /** Somebody is called otherwise now: every entry is looked at again. */
  refresh() {
    for (const view of this.#views.values()) this.#dirty.add(view.entry);
    this.#later();
  }

  /** What stands there before anybody has said anything. */
  greet(...nodes) {
    this.opening.replaceChildren(...nodes);
  }

  /** Shows a conversation in place of the one before. */
  show(conversation) {
    this.#stop?.abort();
    this.#stop = new AbortController();
    this.#conversation = conversation;
    for (const view of this.#views.values()) view.element.remove();
    this.#views.clear();
    this.#dirty.clear();
    this.#follow.toEnd();
    this.#sign(null);
    this.#say('');
    const on = (type, act) => conversation?.addEventListener(type, ({ detail }) => act(detail ?? {}), { signal: this.#stop.signal });
    on('change', ({ entry }) => {
      if (entry) this.#dirty.add(entry);
      this.#later();
    });
    on('event', (event) => this.#tell(event));
    on('signal', (signal) => this.#sign(signal));
    this.#draw();
  }

  /** Leads to the entry of an event, however far back it is, and marks it. */
  async lead(seq) {
    const conversation = this.#conversation;
    for (let page = 0; page < LEAD_PAGES && seq <= (conversation?.missing?.[1] ?? 0); page += 1) await conversation.earlier().catch(() => {});
    this.#draw();
    const entry = conversation === this.#conversation && conversation?.entries.find((one) => one.seq === seq);
    if (!entry) return;
    const { element } = this.#views.get(entry.key);
    this.#follow.stay();
    element.classList.add('led');
    element.scrollIntoView({ block: 'center' });
  }

  toEnd(smoothly = false) {
    this.newer.hidden = true;
    this.#follow.toEnd(smoothly && !matchMedia('(prefers-reduced-motion: reduce)').matches);
  }

  #later() {
    // A hidden page draws no frames, but what it holds is read out and searched all the same.
    if (document.visibilityState === 'hidden') return this.#draw();
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const entries = this.#conversation?.entries ?? [];
    let grown = false;
    let said = false;
    const there = new Set();
    let before = null;
    for (const entry of entries) {
      there.add(entry.key);
      let view = this.#views.get(entry.key);
      if (!view) {
        view = new Entry(entry, this.#options);
        this.#views.set(entry.key, view);
        grown = true;
        if (entry.author === this.#options.own && entry.status === 'sending') said = true;
      } else if (this.#dirty.has(entry) || view.entry !== entry) view.update(entry);
      const place = before ? before.nextSibling : this.list.firstChild;
      if (view.element !== place) this.list.insertBefore(view.element, place);
      before = view.element;
    }
    for (const [key, view] of this.#views) {
      if (there.has(key)) continue;
      view.element.remove();
      this.#views.delete(key);
      // A reader finds what was told for as long as it stands there.
      if (key === this.#toldOf) this.#say('');
    }
    this.#dirty.clear();
    this.#hideRepeated(entries);
    this.opening.hidden = entries.length > 0;
    this.earlier.hidden = !this.#conversation?.missing;
    // Who says something looks at what they said.
    if (said) this.#follow.toEnd();
    else this.#follow.settle();
    if (!this.#follow.following && grown && entries.length > this.#seen) this.newer.hidden = false;
    this.#seen = entries.length;
  }

  /**
   * What was asked once more stands there once, and an apology goes when its question is asked again.
   * An agent sees all of it.
   */
  #hideRepeated(entries) {
    if (this.#options.own !== 'contact' || !entries.some(({ repeats }) => repeats)) return;
    const bySeq = new Map(entries.map((entry) => [entry.seq, entry]));
    const again = new Set();
    for (const entry of entries.toReversed()) {
      const asked = bySeq.get(entry.author === 'assistant' ? entry.answers : undefined);
      const first = bySeq.get(entry.repeats);
      const repeats = first?.author === entry.author && first.text === entry.text && entry.status !== 'failed' && !entry.error && !(this.#options.waiting && entry.status === 'sending');
      this.#views.get(entry.key).element.hidden = repeats || (again.has(asked?.repeats ?? asked?.seq) && !entry.text.trim());
      if (repeats) again.add(entry.repeats);
    }
  }

  /** Asks once more what a reply has left without an answer. */
  #again(entry) {
    const asked = this.#conversation.question(entry);
    // Two presses are one wish.
    if (!asked || this.#conversation.entries.at(-1) !== entry) return;
    this.#conversation.say(asked.text, { again: asked.seq }).catch(() => {});
    // The button goes; the keyboard stays here.
    this.scroller.focus({ preventScroll: true });
  }

  /** Asks for a person, in the words that the visitor could have typed. */
  #person(entry) {
    // Two presses are one wish.
    if (this.#conversation.entries.at(-1) !== entry) return;
    this.#conversation.say(this.#words('wantsPerson')).catch(() => {});
    this.scroller.focus({ preventScroll: true });
  }

  async #earlier() {
    const { scrollHeight, scrollTop } = this.scroller;
    this.earlier.disabled = true;
    this.#follow.stay();
    await this.#conversation.earlier().catch(() => {});
    this.#draw();
    this.earlier.disabled = false;
    // What was in view stays where it was.
    this.scroller.scrollTop = scrollTop + this.scroller.scrollHeight - scrollHeight;
  }

  #tell(event) {
    if (this.#conversation.replaying) return;
    const { mine, name } = this.#options;
    const words = this.#words;
    if (event.type === 'message' && !mine(event)) {
      this.#sign(null);
      const who = { assistant: name, human: event.agent, contact: words('someone') }[event.author];
      // Read from what is drawn, so that no mark of Markdown is spoken.
      const conversation = this.#conversation;
      requestAnimationFrame(() => {
        if (conversation !== this.#conversation) return;
        this.#draw();
        const entry = conversation.entries.find((one) => one.seq === event.seq);
        // It may have been erased meanwhile.
        if (entry) this.#say(`${who}: ${this.#views.get(entry.key).body.textContent || words('failed')}`, entry.key);
      });
    }
    // Who joins, leaves or closes types no more.
    if (this.#options.own === 'contact' && ['taken_over', 'handed_back', 'closed'].includes(event.type)) this.#sign(null);
    if (event.type === 'taken_over') this.#say(words('takenOver', { name: event.agent }));
    if (event.type === 'handed_back') this.#say(words('handedBack', { name: event.agent }));
  }

  /** Tells a reader something; `of` is the entry whose words it is. */
  #say(text, of = null) {
    this.#toldOf = of;
    this.told.textContent = text;
  }

  #sign(signal) {
    clearTimeout(this.#typing);
    const other = this.#options.own === 'contact' ? 'human' : 'contact';
    const on = signal?.signal === 'typing' && signal.on && signal.author === other;
    if (signal && (signal.signal !== 'typing' || signal.author !== other)) return;
    this.signs.hidden = !on;
    const who = (other === 'human' && this.#conversation?.agent) || this.#words('someone');
    this.signs.replaceChildren(...(on ? naming((name) => this.#words('typing', { name }), who) : []));
    if (on) this.#typing = setTimeout(() => this.#sign(null), TYPING_MS);
    if (on) this.#follow.settle();
  }
}
