// A conversation heard over HTTP with an API key, for pages that cannot use the socket: an API key is
// refused there. It has the interface of the client's `Conversation`.
// Invariant: every message said here is sent with one ref until it is answered, however often.

import { Hold } from '../hold.js';
import { eventsBetween } from '../log.js';
import { newRef } from '../ref.js';
import { Refusal, Transcript } from '../transcript.js';
import { eventsIn } from './sse.js';

const BACKOFF_MS = 400;
const BACKOFF_MAX_MS = 30_000;
/** The node sends a comment every 15 s; three in a row that did not come mean a dead line. */
const SILENCE_MS = 45_000;
/** A request without an answer for so long means a line that does not answer, … */
const SILENT_MS = 1_200;
/** … and for so long, that it is lost. What was said is said again under the same ref. */
const REQUEST_MS = 10_000;
/** How long a silence may be while a reply runs before somebody's eyes, or somebody begins to type. */
const ATTENTIVE_MS = 2_000;
/** A message that was taken comes back on the stream; where it does not in this time, the stream is dead. */
const ECHO_MS = 4_000;
/** What a wait that the node asked for may grow by, so that not all come back together. */
const SPREAD_MAX_S = 30;

/** Not the clock on the wall, which can be set while somebody waits. */
const now = () => performance.now();

export class Feed extends Transcript {
  /** `connecting`, `open`, `silent`, `waiting` or `closed`; told in the event `state`, as the client does. */
  state = 'connecting';
  /** Whether the line is down: it was lost, or has not been there yet, and is not back. */
  down = false;
  replaying = true;
  #url;
  #authorization;
  #target = null;
  #queue = [];
  #sending = false;
  #attempt = 0;
  #abort = null;
  #timers = {};
  #asking = 0;
  #heard = -Infinity;
  #notBefore = 0;
  /** What is said is not sent yet. */
  #notSay;
  #options;
  #nudge = ({ type }) => this.#nudged(type);

  /** `after` is the event behind which to begin; all by default. */
  constructor(id, { url = location.origin, authorization, after = 0, random = Math.random } = {}) {
    super();
    this.id = id;
    this.head = after;
    this.#url = `${url}/v1/conversations/${id}`;
    this.#authorization = authorization;
    this.#options = { random };
    this.#notSay = new Hold({
      now,
      later: (act, seconds) => {
        const pause = seconds * 1000;
        return { timer: setTimeout(act, pause), pause };
      },
    });
    this.addEventListener('gap', () => this.#lost());
    this.#listen(true);
    this.#run();
  }

  /** Says something, as the agent named or else as the contact; resolves when it is on disk. */
  say(text, { agent, again } = {}) {
    return this.#enqueue({ ref: newRef(again), text, agent });
  }

  #enqueue({ ref, text, agent }) {
    const one = { ref, text, agent };
    one.promise = new Promise((resolve, reject) => Object.assign(one, { resolve, reject }));
    // Who does not wait for the outcome sees it in the entry's status.
    one.promise.catch(() => {});
    this.#queue.push(one);
    this.dispatchEvent(new CustomEvent('change', { detail: { entry: this.pend(one) } }));
    this.#tellHeld();
    this.#flush();
    return one.promise;
  }

  /** Sends what failed once more. */
  retry(ref) {
    const failed = this.entries.find((entry) => entry.ref === ref && entry.status === 'failed');
    if (!failed) return Promise.reject(new Refusal({ code: 'not_found', message: 'nothing failed with this ref' }));
    this.drop(ref);
    // The node may have it although its answer never came: under the same name it is stored once.
    return this.#enqueue({ ref: failed.error?.code === 'ref_conflict' ? newRef() : ref, text: failed.text, agent: failed.agent });
  }

  async cancel() {
    await this.#ask('POST', '/cancel');
  }

  /** Signs of life travel on sockets only; but who begins to type wants to know of a dead line. */
  typing(on) {
    if (on) this.#probe();
  }
  read() {}

  leave() {
    this.#listen(false);
    this.#stop();
    this.#set('closed', { code: 1000, reason: 'bye' });
    // What was said is still sent.
    this.#flush();
  }

  /** Fetches a page of what was passed over, the newest of it first. */
  async earlier(limit = 200) {
    if (!this.missing) return;
    const [from, to] = this.missing;
    const after = Math.max(from - 1, to - limit);
    // All of it or nothing: what is missing stays one stretch.
    const events = [];
    for await (const event of eventsBetween((at, count) => this.#ask('GET', `/events?after=${at}&limit=${count}`), after, to)) events.push(event);
    for (const event of events) this.take(event, { old: true });
    this.missing = after < from ? null : [from, after];
    this.dispatchEvent(new CustomEvent('change', { detail: { entry: null } }));
  }

  async #run() {
    this.#stop();
    const abort = (this.#abort = new AbortController());
    this.#set('connecting');
    const began = now();
    try {
      // Where the log ends tells what is sent again and what is new.
      const { head } = await this.#ask('GET', '/events?after=0&limit=1', undefined, abort.signal);
      this.#target = head;
      this.replaying = head > this.head;
      this.#expectLife(abort, REQUEST_MS);
      const response = await fetch(`${this.#url}/stream?after=${encodeURIComponent(this.position)}`, {
        headers: { Authorization: this.#authorization },
        signal: abort.signal,
        cache: 'no-store',
      });
      if (!response.ok) throw await Refusal.from(response);
      this.down = false;
      this.#set('open');
      if (!this.replaying) this.#caughtUp();
      this.#notSay.cut();
      this.#flush();
      this.#expectLife(abort);
      for await (const { data } of eventsIn(response.body)) {
        if (this.#abort !== abort) return;
        this.#expectLife(abort);
        this.#hear();
        if (data) this.#take(JSON.parse(data));
      }
      this.#wait(now() - began);
    } catch (error) {
      if (this.#abort !== abort) return;
      if (error instanceof Refusal && !error.temporary) return this.#end(error);
      this.#wait(now() - began, error);
    }
  }

  #take(message) {
    if (message.type === 'delta') return this.delta(message);
    if (message.type === 'signal') return this.signal(message);
    if (message.type === 'error') return this.dispatchEvent(new CustomEvent('error', { detail: new Refusal(message.error) }));
    this.take(message, { live: message.seq > this.#target });
    const mine = this.#queue.find((one) => one.ref === message.ref && (one.agent ? 'human' : 'contact') === message.author);
    // Its event is the message on disk: there is no need to wait for the answer as well.
    if (mine) this.#said(mine, message.seq);
    if (this.replaying && this.head >= this.#target) this.#caughtUp();
  }

  #caughtUp() {
    this.replaying = false;
    this.dispatchEvent(new CustomEvent('caughtup'));
    // What is before the first page is fetched on demand; a hole in the middle at once.
    if (this.missing && this.missing[0] > 1) this.earlier(500).catch(() => {});
  }

  /** One at a time, so that a refusal of one cannot put the next before it. */
  async #flush() {
    const one = this.#queue[0];
    if (!one || this.#sending || this.#notSay.on) return;
    this.#sending = true;
    const { ref, text, agent } = one;
    try {
      const { seq } = await this.#ask('POST', '/messages', agent ? { ref, text, agent } : { ref, text });
      this.#sending = false;
      this.#said(one, seq);
      // Its event may have come before this answer; then the next one has waited for the answer alone.
      this.#flush();
    } catch (error) {
      this.#sending = false;
      if (!this.#queue.includes(one)) return this.#flush();
      if (!(error instanceof Refusal) || error.temporary) {
        const pause = error.retryAfter ? this.#spread(error.retryAfter) : 1 + this.#options.random();
        this.#notSay.wait(error, pause, () => {
          this.#tellHeld();
          this.#flush();
        });
        return this.#tellHeld();
      }
      this.#queue.shift();
      one.reject(error);
      this.fail(ref, error);
      this.#flush();
    }
  }

  /** Tells with all that waits when it is sent again, where the node said so; afterwards, that it is on its way. */
  #tellHeld() {
    const { refusal, at } = this.#notSay.refusal?.retryAfter ? this.#notSay : {};
    for (const { ref } of this.#queue) this.hold(ref, refusal, at);
  }

  #said(one, seq) {
    const index = this.#queue.indexOf(one);
    if (index < 0) return;
    this.#queue.splice(index, 1);
    one.resolve({ seq });
    clearTimeout(this.#timers.echo);
    if (this.head < seq) this.#timers.echo = setTimeout(() => this.head < seq && this.state !== 'closed' && this.#lost(), ECHO_MS);
    this.#flush();
  }

  /** Asks whether anybody is there, after a silence. */
  async #probe() {
    if (this.#asking || now() - this.#heard < ATTENTIVE_MS || !['open', 'silent'].includes(this.state)) return;
    const abort = this.#abort;
    try {
      const { head } = await this.#ask('GET', `/events?after=${this.head}&limit=1`);
      // The node is there, and has what the stream does not bring.
      if (this.#abort === abort && head > this.head) {
        clearTimeout(this.#timers.echo);
        this.#timers.echo = setTimeout(() => this.head < head && this.#abort === abort && this.#lost(), ECHO_MS);
      }
    } catch (error) {
      if (this.#abort === abort && !(error instanceof Refusal)) this.#lost();
    }
  }

  async #ask(method, path, json, signal) {
    const headers = { Authorization: this.#authorization };
    if (json) headers['Content-Type'] = 'application/json';
    const patience = AbortSignal.timeout(REQUEST_MS);
    const silent = setTimeout(() => this.#silent(), SILENT_MS);
    this.#asking += 1;
    try {
      const response = await fetch(this.#url + path, {
        method,
        headers,
        body: json && JSON.stringify(json),
        signal: signal ? AbortSignal.any([signal, patience]) : patience,
        cache: 'no-store',
      });
      this.#hear();
      if (!response.ok) throw await Refusal.from(response);
      return await response.json();
    } finally {
      clearTimeout(silent);
      this.#asking -= 1;
    }
  }

  #silent() {
    if (this.state !== 'open' && this.state !== 'connecting') return;
    this.down = true;
    this.#set(this.state === 'open' ? 'silent' : this.state);
  }

  #hear() {
    this.#heard = now();
    if (this.state !== 'silent') return;
    this.down = false;
    this.#set('open');
  }

  #expectLife(abort, patience = SILENCE_MS) {
    clearTimeout(this.#timers.life);
    this.#timers.life = setTimeout(() => this.#abort === abort && this.#lost(), patience);
    clearTimeout(this.#timers.quiet);
    const look = () => {
      if (this.#abort !== abort) return;
      if (this.running && document.visibilityState === 'visible') this.#probe();
      this.#timers.quiet = setTimeout(look, ATTENTIVE_MS);
    };
    this.#timers.quiet = setTimeout(look, ATTENTIVE_MS);
  }

  #listen(on) {
    const change = on ? 'addEventListener' : 'removeEventListener';
    for (const type of ['online', 'offline', 'pageshow']) globalThis[change](type, this.#nudge);
    document[change]('visibilitychange', this.#nudge);
  }

  #nudged(type) {
    if (type === 'offline') {
      this.#heard = -Infinity;
      return this.#probe();
    }
    if (document.visibilityState !== 'visible') return;
    // An attempt that began without a network may hang for long; another begins afresh.
    const afresh = this.state === 'waiting' || (this.state === 'connecting' && type === 'online');
    if (afresh && now() >= this.#notBefore) this.#run();
    else this.#probe();
  }

  #lost() {
    this.#wait(0);
  }

  #wait(lived, error) {
    this.#stop();
    if (lived > 5000) this.#attempt = 0;
    const most = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#attempt++);
    const told = error instanceof Refusal && error.temporary ? error.retryAfter : undefined;
    // Full jitter: pages that were cut together do not come back together.
    const pause = told ? this.#spread(told) * 1000 : most * this.#options.random();
    this.#notBefore = told ? now() + told * 1000 : 0;
    this.down = true;
    this.#set('waiting', { retryAt: Date.now() + pause, code: 1006, reason: error?.message, ...(told && { error }) });
    this.#timers.retry = setTimeout(() => this.#run(), pause);
  }

  #spread(seconds) {
    return seconds + Math.min(seconds / 2, SPREAD_MAX_S) * this.#options.random();
  }

  #end(error) {
    this.#stop();
    this.#notSay.end();
    for (const one of this.#queue.splice(0)) {
      one.reject(error);
      this.fail(one.ref, error);
    }
    this.#set('closed', { code: 4501, reason: error.message, error });
    this.dispatchEvent(new CustomEvent('error', { detail: error }));
  }

  #stop() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    const abort = this.#abort;
    this.#abort = null;
    abort?.abort();
  }

  #set(state, detail) {
    this.state = state;
    this.dispatchEvent(new CustomEvent('state', { detail: { state, ...detail } }));
  }
}
