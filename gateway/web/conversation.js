// A conversation on a socket that comes and goes: joined again by position, its messages sent until answered.
// Invariant: messages leave one at a time and in order; each goes by one `ref`, however often it is sent.

import { Refusal, Transcript } from './transcript.js';

const TYPING_MS = 3_000;

/** A conversation on a socket. */
export class Conversation extends Transcript {
  /** Whether the log is still being sent again, after a join. */
  replaying = false;
  #client;
  #joined = false;
  #joining = false;
  #target = 0;
  #wanted;
  #queue = [];
  #inFlight = null;
  #typing = { on: false, at: 0 };
  #rejoin = 0;

  constructor(client, id, after) {
    super();
    this.#client = client;
    this.id = id ?? null;
    this.#wanted = Boolean(id);
    // Without the text before it, a place within a reply is of no use: take the reply from its start.
    this.head = Number(String(after ?? 0).split(':')[0]) || 0;
    this.addEventListener('gap', () => this.#again());
    for (const one of client.store.load(this.id)) this.#enqueue(one);
  }

  /** Says something; resolves when it is on the node's disk. Offline it waits, and is sent once. */
  say(text, { agent } = {}) {
    return this.#enqueue({ ref: name(), text, agent }).promise;
  }

  /** Sends what failed once more, as a new message. */
  retry(ref) {
    const failed = this.entries.find((entry) => entry.ref === ref && entry.status === 'failed');
    if (!failed) return Promise.reject(new Refusal({ code: 'not_found', message: 'nothing failed with this ref' }));
    this.drop(ref);
    return this.say(failed.text, { agent: failed.agent });
  }

  /** Stops the running reply. */
  async cancel() {
    if (!this.id || !this.#joined) return;
    await this.#client.ask({ type: 'cancel', conversation: this.id });
  }

  /** Tells the others that somebody types here. May be called at every key. */
  typing(on) {
    const now = this.#client.now();
    const { on: was, at } = this.#typing;
    if (!this.#joined || (on === was && (!on || now - at < TYPING_MS))) return;
    this.#typing = { on, at: now };
    this.#client.tell({ type: 'typing', conversation: this.id, on });
  }

  /** Tells the others that everything up to an event was seen here. */
  read(seq) {
    if (this.#joined) this.#client.tell({ type: 'read', conversation: this.id, seq });
  }

  /** Listens no longer. */
  leave() {
    if (this.#joined) this.#client.ask({ type: 'leave', conversation: this.id }).catch(() => {});
    this.#joined = false;
    this.#wanted = false;
    this.#client.forget(this);
  }

  /** Fetches a page of what was passed over, the newest of it first. */
  async earlier(limit = 200) {
    if (!this.missing || !this.id) return;
    const [from, to] = this.missing;
    const after = Math.max(from - 1, to - limit);
    const page = await this.#client.request(`/v1/conversations/${this.id}/events?after=${after}&limit=${to - after}`);
    for (const event of page.events) this.take(event, { old: true });
    this.missing = after < from ? null : [from, after];
    this.dispatchEvent(new CustomEvent('change', { detail: { entry: null } }));
  }

  /** @internal The socket is up, and knows who is speaking. */
  joinNow() {
    if (!this.#client.up || this.#joined || this.#joining || !(this.#wanted || this.#queue.length)) return;
    this.#joining = true;
    const frame = { type: 'join', ...(this.id && { conversation: this.id, after: this.position }) };
    this.#client.ask(frame).then((ok) => this.#hear(ok), (refusal) => this.#deaf(refusal));
  }

  /** @internal The socket is gone. */
  offline() {
    this.#joined = this.#joining = false;
    this.#inFlight = null;
    this.#typing = { on: false, at: 0 };
    clearTimeout(this.#rejoin);
  }

  /** @internal The node refuses this client for good. */
  refused(error) {
    for (const one of this.#queue.splice(0)) {
      one.reject(error);
      this.fail(one.ref, error);
    }
    this.#keep();
  }

  /** @internal A frame about this conversation. */
  frame(frame) {
    if (frame.type === 'delta') return this.delta(frame);
    if (frame.type === 'signal') return this.signal(frame);
    if (frame.type === 'error') return this.#deaf(new Refusal(frame.error));
    const { event } = frame;
    const live = this.#joined && event.seq > this.#target;
    this.take(event, { live });
    if (this.replaying && this.head >= this.#target) this.#caughtUp();
    const mine = this.#queue.find((one) => one.ref === event.ref && (one.agent ? 'human' : 'contact') === event.author);
    // Its event is the message on disk: there is no need to wait for the reply as well.
    if (mine) this.#said(mine, event.seq);
  }

  #enqueue({ ref, text, agent }) {
    const one = { ref, text, agent };
    one.promise = new Promise((resolve, reject) => Object.assign(one, { resolve, reject }));
    // Who does not wait for the outcome sees it in the entry's status.
    one.promise.catch(() => {});
    this.#queue.push(one);
    this.#keep();
    this.#typing = { on: false, at: 0 };
    const entry = this.pend(one);
    this.dispatchEvent(new CustomEvent('change', { detail: { entry } }));
    this.#client.wake();
    this.joinNow();
    this.#flush();
    return one;
  }

  /** One at a time, so that a refusal of one cannot put the next before it. */
  #flush() {
    const one = this.#queue[0];
    if (!one || !this.#joined || this.#inFlight) return;
    this.#inFlight = one;
    const frame = { type: 'say', ref: one.ref, conversation: this.id, text: one.text, ...(one.agent && { agent: one.agent }) };
    this.#client.ask(frame).then((ok) => this.#said(one, ok.seq), (refusal) => {
      if (this.#inFlight !== one) return;
      this.#inFlight = null;
      if (refusal.code === 'not_joined') return this.#again();
      if (refusal.temporary) return this.#client.later(() => this.#flush(), refusal.retryAfter);
      this.#queue.splice(this.#queue.indexOf(one), 1);
      this.#keep();
      one.reject(refusal);
      this.fail(one.ref, refusal);
      this.#flush();
    });
  }

  #said(one, seq) {
    const index = this.#queue.indexOf(one);
    if (index < 0) return;
    this.#queue.splice(index, 1);
    if (this.#inFlight === one) this.#inFlight = null;
    this.#keep();
    one.resolve({ seq });
    this.#flush();
  }

  #hear(ok) {
    this.#joining = false;
    this.#joined = true;
    this.#wanted = true;
    const opened = this.id === null;
    if (opened) {
      this.#client.store.save(null, []);
      this.id = ok.conversation;
      this.#keep();
    }
    this.#target = ok.head;
    this.replaying = ok.head > this.head;
    this.dispatchEvent(new CustomEvent('joined', { detail: { conversation: this.id, head: ok.head, opened } }));
    if (!this.replaying) this.#caughtUp();
    this.#flush();
  }

  #caughtUp() {
    this.replaying = false;
    this.dispatchEvent(new CustomEvent('caughtup'));
    // What is before the first page is fetched on demand; a hole in the middle at once.
    if (this.missing && this.missing[0] > 1) this.earlier(500).catch(() => {});
  }

  #deaf(refusal) {
    this.#joined = this.#joining = false;
    this.#inFlight = null;
    if (refusal.code === 'unauthorized' || refusal.code === 'token_expired') return;
    this.dispatchEvent(new CustomEvent('error', { detail: refusal }));
    if (refusal.code === 'bad_position') {
      this.reset();
      return this.joinNow();
    }
    if (refusal.temporary) this.#rejoin = this.#client.later(() => this.joinNow(), refusal.retryAfter);
    else this.refused(refusal);
  }

  #again() {
    this.#joined = false;
    this.joinNow();
  }

  #keep() {
    this.#client.store.save(this.id, this.#queue.map(({ ref, text, agent }) => ({ ref, text, agent })));
  }
}

/** A new `ref`. `crypto.randomUUID` is missing on pages without TLS; this is not. */
export function name() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
