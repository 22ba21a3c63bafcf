// A conversation heard over HTTP with an API key, for pages that cannot use the socket: an API key is
// refused there. It has the interface of the client's `Conversation`.
// Invariant: every message said here is sent with one ref until it is answered, however often.

import { Refusal, Transcript } from '../transcript.js';
import { eventsIn } from './sse.js';

const BACKOFF_MS = 400;
const BACKOFF_MAX_MS = 30_000;
/** The node sends a comment every 15 s; three in a row that did not come mean a dead line. */
const SILENCE_MS = 45_000;

export class Feed extends Transcript {
  /** `connecting`, `open`, `waiting` or `closed`; told in the event `state`, as the client does. */
  state = 'connecting';
  replaying = true;
  #url;
  #authorization;
  #target = null;
  #queue = [];
  #sending = false;
  #attempt = 0;
  #abort = null;
  #timers = {};
  #options;
  #nudge = () => document.visibilityState === 'visible' && this.state === 'waiting' && this.#run();

  /** `after` is the event behind which to begin; all by default. */
  constructor(id, { url = location.origin, authorization, after = 0, random = Math.random } = {}) {
    super();
    this.id = id;
    this.head = after;
    this.#url = `${url}/v1/conversations/${id}`;
    this.#authorization = authorization;
    this.#options = { random };
    this.addEventListener('gap', () => this.#lost());
    addEventListener('online', this.#nudge);
    document.addEventListener('visibilitychange', this.#nudge);
    this.#run();
  }

  /** Says something, as the agent named or else as the contact; resolves when it is on disk. */
  say(text, { agent } = {}) {
    const ref = crypto.getRandomValues(new Uint32Array(4)).join('-');
    const one = { ref, text, agent };
    one.promise = new Promise((resolve, reject) => Object.assign(one, { resolve, reject }));
    // Who does not wait for the outcome sees it in the entry's status.
    one.promise.catch(() => {});
    this.#queue.push(one);
    this.dispatchEvent(new CustomEvent('change', { detail: { entry: this.pend(one) } }));
    this.#flush();
    return one.promise;
  }

  /** Sends what failed once more, as a new message. */
  retry(ref) {
    const failed = this.entries.find((entry) => entry.ref === ref && entry.status === 'failed');
    if (!failed) return Promise.reject(new Refusal({ code: 'not_found', message: 'nothing failed with this ref' }));
    this.drop(ref);
    return this.say(failed.text, { agent: failed.agent });
  }

  async cancel() {
    await this.#ask('POST', '/cancel');
  }

  /** Signs of life travel on sockets only. */
  typing() {}
  read() {}

  leave() {
    removeEventListener('online', this.#nudge);
    document.removeEventListener('visibilitychange', this.#nudge);
    this.#stop();
    this.#set('closed', { code: 1000, reason: 'bye' });
  }

  /** Fetches a page of what was passed over, the newest of it first. */
  async earlier(limit = 200) {
    if (!this.missing) return;
    const [from, to] = this.missing;
    const after = Math.max(from - 1, to - limit);
    const page = await this.#ask('GET', `/events?after=${after}&limit=${to - after}`);
    for (const event of page.events) this.take(event, { old: true });
    this.missing = after < from ? null : [from, after];
    this.dispatchEvent(new CustomEvent('change', { detail: { entry: null } }));
  }

  async #run() {
    this.#stop();
    const abort = (this.#abort = new AbortController());
    this.#set('connecting');
    const began = Date.now();
    try {
      // Where the log ends tells what is sent again and what is new.
      const { head } = await this.#ask('GET', '/events?after=0&limit=1', undefined, abort.signal);
      this.#target = head;
      this.replaying = head > this.head;
      const response = await fetch(`${this.#url}/stream?after=${encodeURIComponent(this.position)}`, {
        headers: { Authorization: this.#authorization },
        signal: abort.signal,
        cache: 'no-store',
      });
      if (!response.ok) throw await refusalOf(response);
      this.#set('open');
      if (!this.replaying) this.#caughtUp();
      this.#flush();
      this.#expectLife(abort);
      for await (const { data } of eventsIn(response.body)) {
        if (this.#abort !== abort) return;
        this.#expectLife(abort);
        if (data) this.#take(JSON.parse(data));
      }
      this.#wait(Date.now() - began);
    } catch (error) {
      if (this.#abort !== abort) return;
      if (error instanceof Refusal && !error.temporary) return this.#end(error);
      this.#wait(Date.now() - began, error?.retryAfter, error?.message);
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
    if (!one || this.#sending) return;
    this.#sending = true;
    clearTimeout(this.#timers.send);
    const { ref, text, agent } = one;
    try {
      const { seq } = await this.#ask('POST', '/messages', agent ? { ref, text, agent } : { ref, text });
      this.#sending = false;
      this.#said(one, seq);
    } catch (error) {
      this.#sending = false;
      if (!this.#queue.includes(one)) return this.#flush();
      if (!(error instanceof Refusal) || error.temporary) {
        if (this.state !== 'closed')
          this.#timers.send = setTimeout(() => this.#flush(), 1000 * (error.retryAfter ?? 1 + this.#options.random()));
        return;
      }
      this.#queue.shift();
      one.reject(error);
      this.fail(ref, error);
      this.#flush();
    }
  }

  #said(one, seq) {
    const index = this.#queue.indexOf(one);
    if (index < 0) return;
    this.#queue.splice(index, 1);
    one.resolve({ seq });
    this.#flush();
  }

  async #ask(method, path, json, signal) {
    const headers = { Authorization: this.#authorization };
    if (json) headers['Content-Type'] = 'application/json';
    const response = await fetch(this.#url + path, {
      method,
      headers,
      body: json && JSON.stringify(json),
      signal,
      cache: 'no-store',
    });
    if (!response.ok) throw await refusalOf(response);
    return response.json();
  }

  #expectLife(abort) {
    clearTimeout(this.#timers.life);
    this.#timers.life = setTimeout(() => this.#abort === abort && this.#lost(), SILENCE_MS);
  }

  #lost() {
    this.#stop();
    this.#wait(0);
  }

  #wait(lived, seconds, reason) {
    this.#stop();
    if (lived > 5000) this.#attempt = 0;
    const most = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#attempt++);
    // Full jitter: pages that were cut together do not come back together.
    const pause = seconds === undefined ? most * this.#options.random() : seconds * 1000;
    this.#set('waiting', { retryAt: Date.now() + pause, code: 1006, reason });
    this.#timers.retry = setTimeout(() => this.#run(), pause);
  }

  #end(error) {
    this.#stop();
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

async function refusalOf(response) {
  const answer = await response.json().catch(() => null);
  // A proxy's own page has no code of ours: whether it is worth coming back, its status tells.
  const code = response.status >= 500 || response.status === 429 ? 'internal' : 'unknown_route';
  return new Refusal(answer?.error ?? { code, message: `HTTP ${response.status}` }, response.status);
}
