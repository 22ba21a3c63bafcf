// A conversation on a socket that comes and goes: joined again by position, its messages sent until answered.
// Invariant: messages leave one at a time and in order; each goes by one `ref`, however often it is sent.

import { Hold } from './hold.js';
import { eventsBetween } from './log.js';
import { localeOf, pageLocale } from './locale.js';
import { newRef } from './ref.js';
import { Refusal, Transcript } from './transcript.js';

const TYPING_MS = 3_000;
/** A line on which nothing was heard for so long is asked for a sign of life when somebody begins to type. */
const QUIET_MS = 1_000;
const REJOIN_MAX_S = 30;

/** A conversation on a socket. */
export class Conversation extends Transcript {
  /** Whether the log is still being sent again, after a join. */
  replaying = false;
  #client;
  #joined = false;
  /** The join that is not answered yet. */
  #joining = null;
  #target = 0;
  #wanted;
  #queue = [];
  #inFlight = null;
  #typing = { on: false, at: 0 };
  #refusals = 0;
  /** What is not tried yet. Apart from each other: who may say nothing until midnight still listens. */
  #not;
  #leaving = false;
  /** Whether nothing is told of the page. */
  #plain = false;
  /** The wish to stop the reply, until the node has answered it. */
  #stopping = null;

  constructor(client, id, after) {
    super();
    this.#client = client;
    const clock = { now: () => client.now(), later: (act, seconds) => client.later(act, seconds) };
    this.#not = { join: new Hold(clock), say: new Hold(clock), stop: new Hold(clock) };
    this.id = id ?? null;
    this.#wanted = Boolean(id);
    // Without the text before it, a place within a reply is of no use: take the reply from its start.
    this.head = Number(String(after ?? 0).split(':')[0]) || 0;
    this.addEventListener('gap', () => this.#again());
  }

  /** Says something; resolves when it is on the node's disk. Offline it waits, and is sent once. */
  say(text, { agent = this.#client.agent, again } = {}) {
    return this.#enqueue({ ref: newRef(again), text, agent }).promise;
  }

  /** Sends what failed once more; the connection comes back for it, unless it was closed here. */
  retry(ref) {
    const failed = this.entries.find((entry) => entry.ref === ref && entry.status === 'failed');
    if (!failed) return Promise.reject(new Refusal({ code: 'not_found', message: 'nothing failed with this ref' }));
    const { over } = this.#client;
    // Who closed it means it: only `reconnect` brings it back.
    if (this.#client.shut) return Promise.reject(over);
    this.drop(ref);
    // The node may have it although its answer never came: under the same name it is stored once.
    const kept = failed.error?.code === 'ref_conflict' ? newRef() : ref;
    if (over) this.#client.reconnect();
    return this.#enqueue({ ref: kept, text: failed.text, agent: failed.agent }).promise;
  }

  /** Stops the running reply; without a connection as soon as there is one, if that reply still runs then. */
  cancel() {
    if (this.#client.over) return Promise.reject(this.#client.over);
    if (!this.id || !(this.#joined || this.running)) return Promise.resolve();
    this.#stopping ??= { ...promised(), turn: this.running?.turn, sent: false };
    this.#stop();
    return this.#stopping?.promise ?? Promise.resolve();
  }

  /** Takes the conversation over for a human agent; not tried again where the line is down. */
  takeOver({ agent = this.#client.agent } = {}) {
    return this.#act('take', agent);
  }

  /** Has the assistant answer again. */
  handBack({ agent = this.#client.agent } = {}) {
    return this.#act('hand_back', agent);
  }

  /** Ends the conversation for now; the next word in it reopens it. */
  close() {
    return this.#act('close');
  }

  /** Tells the others that somebody types here. May be called at every key. */
  typing(on) {
    if (on) this.#client.come();
    const now = this.#client.now();
    const { on: was, at } = this.#typing;
    if (!this.#joined || (on === was && (!on || now - at < TYPING_MS))) return;
    this.#typing = { on, at: now };
    this.#client.tell({ type: 'typing', conversation: this.id, on });
    if (on) this.#client.probe(QUIET_MS);
  }

  /** Tells the others that everything up to an event was seen here. */
  read(seq) {
    if (this.#joined) this.#client.tell({ type: 'read', conversation: this.id, seq });
  }

  /** Listens no longer. What was said is still sent before. */
  leave() {
    this.#leaving = true;
    this.#leave();
  }

  /** Fetches a page of what was passed over, the newest of it first. */
  async earlier(limit = 200) {
    if (!this.missing || !this.id) return;
    const [from, to] = this.missing;
    const after = Math.max(from - 1, to - limit);
    const read = (at, count) => this.#client.request(`/v1/conversations/${this.id}/events?after=${at}&limit=${count}`);
    // All of it or nothing: what is missing stays one stretch.
    const events = [];
    for await (const event of eventsBetween(read, after, to)) events.push(event);
    for (const event of events) this.take(event, { old: true });
    this.missing = after < from ? null : [from, after];
    this.dispatchEvent(new CustomEvent('change', { detail: { entry: null } }));
  }

  /** @internal What is not answered yet. */
  get unsent() {
    return this.#queue.map(({ ref, text, agent }) => ({ ref, text, agent }));
  }

  /** @internal Takes up what an earlier page has left. */
  restore() {
    if (!this.#client.over) for (const one of this.#client.kept(this)) this.#enqueue(one);
  }

  /** @internal Somebody listens again. */
  stay() {
    this.#leaving = false;
    return this;
  }

  /** @internal The socket is up, and knows who is speaking. */
  joinNow() {
    if (!this.#client.up || this.#joined || this.#joining || this.#not.join.on || !(this.#wanted || this.#queue.length)) return;
    const joining = (this.#joining = {});
    // Who left meanwhile does not care for the answer.
    const mine = (act) => (answer) => this.#joining === joining && act(answer);
    const locale = this.id || this.#plain ? undefined : this.#locale;
    const frame = { type: 'join', ...(this.id && { conversation: this.id, after: this.position }), ...(locale && { locale }) };
    this.#client.ask(frame).then(mine((ok) => this.#hear(ok)), mine((refusal) => {
      // A node from before knows no such field.
      if (refusal.code !== 'bad_frame' || !locale) return this.#deaf(refusal);
      this.#plain = true;
      this.#joining = null;
      this.joinNow();
    }));
  }

  /** @internal The socket is gone. */
  offline() {
    this.#joined = false;
    this.#joining = null;
    this.#inFlight = null;
    this.#typing = { on: false, at: 0 };
    if (this.#stopping) this.#stopping.sent = false;
    for (const hold of Object.values(this.#not)) hold.cut();
    this.#tellHeld();
    this.#leave();
  }

  /** @internal Nothing more is sent: the node refuses it for good, or the client was closed. */
  refused(error) {
    for (const one of this.#queue.splice(0)) {
      one.reject(error);
      this.fail(one.ref, error);
    }
    this.#stopping?.reject(error);
    this.#stopping = null;
    for (const hold of Object.values(this.#not)) hold.end();
    // What a page closes on its way out is sent by the next one.
    if (error.code !== 'closed') this.#client.keep(this);
    this.breakOff();
    this.#leave();
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

  #act(type, agent) {
    const { over } = this.#client;
    if (over) return Promise.reject(over);
    return this.#client.ask({ type, conversation: this.id, ...(agent && { agent }) });
  }

  #enqueue({ ref, text, agent }) {
    const one = { ref, text, agent, ...promised() };
    const entry = this.pend(one);
    const { over } = this.#client;
    if (over) {
      one.reject(over);
      this.fail(ref, over);
      return one;
    }
    this.#queue.push(one);
    this.#client.care(this);
    this.#client.keep(this);
    this.#typing = { on: false, at: 0 };
    this.dispatchEvent(new CustomEvent('change', { detail: { entry } }));
    if (this.#not.join.on || this.#not.say.on) this.#tellHeld();
    this.#client.wake();
    this.#client.come();
    this.joinNow();
    this.#flush();
    return one;
  }

  /** One at a time, so that a refusal of one cannot put the next before it. */
  #flush() {
    const one = this.#queue[0];
    if (!one || !this.#joined || this.#inFlight || this.#not.say.on) return;
    this.#inFlight = one;
    const frame = { type: 'say', ref: one.ref, conversation: this.id, text: one.text, ...(one.agent && { agent: one.agent }) };
    this.#client.ask(frame).then((ok) => this.#said(one, ok.seq), (refusal) => {
      if (this.#inFlight !== one) return;
      this.#inFlight = null;
      if (refusal.code === 'not_joined') return this.#again();
      if (refusal.temporary) {
        this.#not.say.wait(refusal, refusal.retryAfter, () => {
          this.#tellHeld();
          this.#flush();
        });
        return this.#tellHeld();
      }
      this.#queue.splice(this.#queue.indexOf(one), 1);
      this.#client.keep(this);
      one.reject(refusal);
      this.fail(one.ref, refusal);
      this.#flush();
      this.#leave();
    });
  }

  /** Tells with all that waits why, and when it is sent again; once nothing holds it, that it is on its way. */
  #tellHeld() {
    const [hold] = [this.#not.join, this.#not.say].filter(({ on }) => on).sort((one, other) => other.at - one.at);
    for (const { ref } of this.#queue) this.hold(ref, hold?.refusal, hold?.at);
  }

  /** Asks for the running reply to be stopped; again after each cut, until it is answered. */
  #stop() {
    const wish = this.#stopping;
    if (!wish || wish.sent || !this.#joined || this.#not.stop.on) return;
    wish.sent = true;
    const settled = (settle) => (outcome) => {
      if (this.#stopping !== wish) return;
      // Gone with its socket: it is asked again on the next.
      if (outcome?.code === 'disconnected') return;
      if (outcome?.temporary) {
        wish.sent = false;
        return this.#not.stop.wait(outcome, outcome.retryAfter, () => this.#stop());
      }
      this.#stopping = null;
      settle(outcome);
    };
    const frame = { type: 'cancel', conversation: this.id, ...(wish.turn && { turn: wish.turn }) };
    this.#client.ask(frame).then(settled(() => wish.resolve()), settled(wish.reject));
  }

  /** Goes, once nothing is left to send. Tells whether it is gone. */
  #leave() {
    // What is just being opened has no name yet to leave it by.
    if (!this.#leaving || this.#queue.length || (this.#joining && !this.id)) return false;
    // Frames are dealt with in order: a join on its way is left as soon as it is made.
    if (this.#joined || this.#joining) this.#client.leave(this.id);
    this.#joined = false;
    this.#joining = null;
    this.#wanted = false;
    this.#stopping?.resolve();
    this.#stopping = null;
    for (const hold of Object.values(this.#not)) hold.end();
    this.#client.forget(this);
    return true;
  }

  #said(one, seq) {
    const index = this.#queue.indexOf(one);
    if (index < 0) return;
    this.#queue.splice(index, 1);
    if (this.#inFlight === one) this.#inFlight = null;
    this.#client.keep(this);
    one.resolve({ seq });
    this.#flush();
    this.#leave();
  }

  #hear(ok) {
    this.#joining = null;
    this.#joined = true;
    this.#wanted = true;
    const opened = this.id === null;
    if (opened) {
      this.id = ok.conversation;
      this.#client.moved(this);
    }
    if (this.#leave()) return;
    this.#refusals = 0;
    this.#target = ok.head;
    this.replaying = ok.head > this.head;
    this.dispatchEvent(new CustomEvent('joined', { detail: { conversation: this.id, head: ok.head, opened } }));
    if (!this.replaying) this.#caughtUp();
    this.#flush();
    this.#stop();
  }

  #caughtUp() {
    this.replaying = false;
    this.dispatchEvent(new CustomEvent('caughtup'));
    // What is before the first page is fetched on demand; a hole in the middle at once.
    if (this.missing && this.missing[0] > 1) this.earlier(500).catch(() => {});
  }

  #deaf(refusal) {
    if (refusal.code === 'disconnected') return;
    this.#joined = false;
    this.#joining = null;
    this.#inFlight = null;
    if (this.#leave()) return;
    if (refusal.code === 'unauthorized' || refusal.code === 'token_expired') return;
    this.dispatchEvent(new CustomEvent('error', { detail: refusal }));
    if (refusal.code === 'bad_position') {
      this.reset();
      return this.joinNow();
    }
    if (refusal.temporary) {
      this.#not.join.wait(refusal, refusal.retryAfter ?? Math.min(REJOIN_MAX_S, 2 ** this.#refusals++), () => {
        this.#tellHeld();
        this.joinNow();
      });
      this.#tellHeld();
    } else this.refused(refusal);
  }

  get #locale() {
    const { locale } = this.#client;
    return locale === undefined ? pageLocale() : localeOf(locale);
  }

  #again() {
    this.#joined = false;
    this.joinNow();
  }
}

/** A promise and what settles it. Who does not wait for it is not troubled by its refusal. */
function promised() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {});
  return made;
}
