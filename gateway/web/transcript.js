// What was said in a conversation, folded from its events and deltas into entries to show.
// Invariant: no network and no clock. Same events and deltas, same entries.

import { repeatedBy } from './ref.js';

/** Refusals that end by themselves: the same frame is sent again. The last two are the client's own. */
const TEMPORARY = new Set([
  'rate_limited', 'quota_exhausted', 'busy', 'draining', 'restarting', 'quarantined', 'store_unavailable', 'internal',
  'disconnected', 'no_token',
]);

/** A failure as the node puts it: `code` is for programs. `disconnected`, `no_token` and `closed` are the client's own. */
export class Refusal extends Error {
  constructor({ code, message, retry_after: retryAfter }, status) {
    super(message ?? code);
    this.name = 'Refusal';
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
    this.temporary = TEMPORARY.has(code);
  }

  /** What an HTTP answer refuses. A proxy's own page has no code of ours: its status tells whether it passes. */
  static async from(response) {
    const answer = await response.json().catch(() => null);
    const passes = response.status >= 500 || [408, 425, 429].includes(response.status);
    const error = answer?.error ?? { code: passes ? 'internal' : 'unknown_route', message: `HTTP ${response.status}` };
    return new Refusal(error, response.status);
  }
}

/** What a conversation looks like so far, folded from events and deltas. It knows no network. */
export class Transcript extends EventTarget {
  id = null;
  head = 0;
  entries = [];
  status = 'open';
  owner = 'assistant';
  agent = null;
  /** Why somebody of the team is asked for, until one has answered. */
  handoff = null;
  /** The entry of the reply that runs. */
  running = null;
  /** Events that were passed over, both ends inclusive: too many for one join. */
  missing = null;
  #byKey = new Map();
  #pending = 0;

  /** From where to resume: in mid-reply the character, else the event. */
  get position() {
    const { turn, chars } = this.running ?? {};
    return chars ? `${this.head}:${turn}:${chars}` : this.head;
  }

  /** Takes an event of the log. `old` ones fill a gap and tell nothing about how things stand. */
  take(event, { old = false, live = false } = {}) {
    if (!old) {
      if (event.seq <= this.head) return;
      if (event.seq > this.head + 1) this.missing = [(this.missing?.[0] ?? this.head + 1), event.seq - 1];
      this.head = event.seq;
      this.#stand(event);
    }
    const { running } = this;
    const folded = this.#fold(event, live);
    if (old) this.running = running;
    this.#emit('event', event);
    if (folded) this.#emit('change', { entry: folded });
  }

  /** Takes a piece of the running reply. */
  delta({ turn, offset, text }) {
    let entry = this.#byKey.get(`t${turn}`);
    if (entry && !unfinished(entry)) return;
    entry ??= this.#start(turn, this.head);
    if (offset > entry.chars) return this.#emit('gap', { turn, offset });
    this.#extend(entry, offset, text);
    this.#emit('delta', { entry, turn, offset, text });
    this.#emit('change', { entry });
  }

  signal(signal) {
    this.#emit('signal', signal);
  }

  /** Shows something said before the log has it. */
  pend({ ref, text, agent }) {
    const author = agent ? 'human' : 'contact';
    return this.#put({ key: `${author}:${ref}`, kind: 'message', author, agent, text, ref, repeats: repeatedBy(ref), status: 'sending' }, Infinity);
  }

  /** The log will not have it. */
  fail(ref, error) {
    this.#unsent(ref, { status: 'failed', error, retryAt: undefined });
  }

  /** The log does not have it yet, for a reason that passes; it is sent again at `retryAt`. Without either it is on its way. */
  hold(ref, error, retryAt) {
    this.#unsent(ref, { error, retryAt });
  }

  /** Nothing more comes of the running reply, although the log does not say so. If it goes on after all, it is as it was. */
  breakOff() {
    const entry = this.running;
    if (!entry) return;
    this.running = null;
    this.#emit('change', { entry: Object.assign(entry, { status: 'done', end: 'incomplete', broken: true }) });
  }

  /** What a reply answers, as it was said the first time; null where it is not among the entries. */
  question(entry) {
    const said = (seq) => this.entries.find((one) => one.seq === seq && one.author === 'contact');
    const last = said(entry.answers);
    return (last?.repeats && said(last.repeats)) || last || null;
  }

  /** The words to ask again with, where a reply gave no answer. */
  asked(entry) {
    return this.question(entry)?.text ?? null;
  }

  /** Takes back what was never sent, or failed. */
  drop(ref) {
    const entry = this.entries.find((one) => one.ref === ref && one.seq === undefined);
    if (!entry) return;
    this.entries.splice(this.entries.indexOf(entry), 1);
    this.#byKey.delete(entry.key);
    this.#emit('change', { entry: null, removed: entry });
  }

  /** Forgets all: the log is another than was thought. */
  reset() {
    const unsent = this.entries.filter((entry) => entry.seq === undefined && entry.ref);
    Object.assign(this, { head: 0, entries: [], running: null, missing: null, status: 'open', owner: 'assistant', agent: null, handoff: null });
    this.#byKey.clear();
    for (const entry of unsent) this.#put(entry, Infinity);
    this.#emit('change', { entry: null, reset: true });
  }

  #stand(event) {
    if (event.type === 'taken_over') Object.assign(this, { owner: 'human', agent: event.agent });
    if (event.type === 'handed_back') Object.assign(this, { owner: 'assistant', agent: null, handoff: null });
    if (event.type === 'handoff_requested') this.handoff = event.reason ?? 'asked';
    if (event.type === 'message' && event.author === 'human') this.handoff = null;
    if (event.type === 'closed') this.status = 'closed';
    if (event.type === 'reopened') this.status = 'open';
  }

  #fold(event, live) {
    const { seq, at, type, author } = event;
    if (type === 'turn_started') return this.#start(event.turn, seq, at);
    if (type === 'checkpoint') return this.#checkpoint(event);
    if (type === 'message' && event.turn) {
      const { made } = event;
      const known = this.#byKey.get(`t${event.turn}`);
      const entry = known ?? { key: `t${event.turn}`, kind: 'message', author, turn: event.turn };
      Object.assign(entry, { seq, at, text: event.text, chars: length(event.text), status: 'done', end: event.end, answers: event.answers });
      entry.sources = made?.passages ?? [];
      if (made?.error) entry.error = { code: made.error };
      entry.made = made;
      delete entry.broken;
      if (this.running === entry) this.running = null;
      // A reply stands behind what it answers, also when that came after the turn had begun.
      return this.#put(entry, Math.max(known?.order ?? 0, (event.answers ?? seq) + 0.5));
    }
    if (type === 'message') {
      const sent = event.ref && this.#byKey.get(`${author}:${event.ref}`);
      // Two agents may use the same ref: a message that has its place is no other one.
      const key = event.ref && [undefined, seq].includes(sent?.seq) ? `${author}:${event.ref}` : `s${seq}`;
      const entry = this.#byKey.get(key) ?? { key, kind: 'message', author, text: event.text, ref: event.ref, repeats: repeatedBy(event.ref) };
      delete entry.error;
      delete entry.retryAt;
      Object.assign(entry, { seq, at, text: event.text, agent: event.agent, status: 'sent' });
      this.#put(entry, seq);
      // Said before the reply's first word: the assistant is asked again, with this.
      if (live && this.running?.text === '' && author === 'contact') this.#put(this.running, seq + 0.5);
      return entry;
    }
    if (['taken_over', 'handed_back', 'closed', 'reopened'].includes(type)) {
      return this.#put({ key: `s${seq}`, seq, at, kind: type, author, agent: event.agent, reason: event.reason, text: '', status: 'done' }, seq);
    }
    return null;
  }

  /** A stored piece of a reply. Who has its words as deltas gets it without them, and needs none. */
  #checkpoint({ turn, seq, offset, text, chars, unsaid }) {
    const entry = this.#byKey.get(`t${turn}`);
    if (entry && !unfinished(entry)) return null;
    const running = entry ?? this.#start(turn, seq);
    const end = offset + (chars ?? length(text ?? ''));
    const more = typeof text === 'string' && offset <= running.chars && end > running.chars;
    if (more) this.#extend(running, offset, text);
    // A thought that was said aloud is blanked as far as it is here: the rest of it comes as blanks already,
    // and what follows keeps its place. No other event takes it back before the reply is over.
    const upTo = Math.min(end, running.chars);
    const thought = unsaid < upTo;
    if (thought) running.text = cut(running.text, unsaid) + '\n'.repeat(upTo - unsaid) + running.text.slice(cut(running.text, upTo).length);
    return more || thought ? running : null;
  }

  #extend(entry, offset, text) {
    if (offset < entry.chars) entry.text = cut(entry.text, offset);
    entry.text += text;
    entry.chars = offset + length(text);
    if (entry.broken) {
      delete entry.broken;
      delete entry.end;
      entry.status = 'streaming';
    }
    this.running = entry;
  }

  #start(turn, order, at) {
    const known = this.#byKey.get(`t${turn}`);
    if (known) return this.#put(known, known.status === 'done' ? known.order : Math.min(known.order, order));
    const entry = { key: `t${turn}`, kind: 'message', author: 'assistant', text: '', chars: 0, at, status: 'streaming', turn };
    this.running = entry;
    return this.#put(entry, order);
  }

  #unsent(ref, change) {
    const entry = this.entries.find((one) => one.ref === ref && one.status === 'sending');
    if (entry) this.#emit('change', { entry: Object.assign(entry, change) });
  }

  /** Puts an entry where it belongs; `Infinity` is behind all, in the order of coming. */
  #put(entry, order) {
    if (order === Infinity) order = 1e15 + this.#pending++;
    if (this.#byKey.get(entry.key) === entry) {
      if (entry.order === order) return entry;
      this.entries.splice(this.entries.indexOf(entry), 1);
    }
    entry.order = order;
    this.#byKey.set(entry.key, entry);
    let index = this.entries.length;
    while (index > 0 && this.entries[index - 1].order > order) index -= 1;
    this.entries.splice(index, 0, entry);
    return entry;
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function unfinished({ status, broken }) {
  return status === 'streaming' || Boolean(broken);
}

/** Characters as the protocol counts them: code points, not UTF-16 units. */
function length(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** The first so many characters. */
function cut(text, chars) {
  let units = 0;
  for (const char of text) {
    if (chars-- <= 0) break;
    units += char.length;
  }
  return text.slice(0, units);
}
