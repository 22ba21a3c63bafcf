// The client of a Tertulia node: one socket, any number of conversations, each resumed by position.
// Invariant: a socket that goes comes back, unless the node says that it should not.
// It has no dependencies and works wherever there is a WebSocket, `fetch` and `EventTarget`.

import { Conversation, name } from './conversation.js';
import { Refusal, Transcript } from './transcript.js';

export { Conversation, Refusal, Transcript };

/** Close codes that say this client is wrong; coming back would not mend it. */
const OURS = new Set([1002, 1003, 1007, 1009]);
const BACKOFF_MS = 400;
const BACKOFF_MAX_MS = 30_000;
const FLOODED_MS = 10_000;
const CONNECT_MS = 15_000;
const PONG_MS = 6_000;
/** A socket that lived this long was no failed attempt. */
const STABLE_MS = 5_000;

/** A connection to a node that comes back by itself. */
export class Tertulia extends EventTarget {
  state = 'closed';
  #options;
  #conversations = new Set();
  /** @internal Whether frames can be sent. */
  up = false;
  #socket = null;
  #answers = new Map();
  #attempt = 0;
  #refusedTokens = 0;
  #hint = null;
  #token = null;
  #making = null;
  #timers = {};
  #heard = 0;
  #opened = 0;
  #nudge = () => this.#wakeUp();

  constructor(options) {
    super();
    this.#options = {
      WebSocket: globalThis.WebSocket, fetch: globalThis.fetch?.bind(globalThis), now: Date.now, random: Math.random,
      setTimeout: globalThis.setTimeout.bind(globalThis), storage: null, ...options,
    };
    this.url = (options.url ?? new URL(import.meta.url).origin).replace(/\/$/, '');
    this.store = queueIn(this.#options.storage);
    for (const type of ['online', 'offline', 'pageshow']) globalThis.addEventListener?.(type, this.#nudge);
    globalThis.document?.addEventListener('visibilitychange', this.#nudge);
  }

  /** Listens to a conversation; without an id a new one is opened when something is said. */
  join(conversation, { after } = {}) {
    const known = conversation && [...this.#conversations].find((one) => one.id === conversation);
    if (known) return known;
    const joined = new Conversation(this, conversation, after);
    this.#conversations.add(joined);
    this.wake();
    joined.joinNow();
    return joined;
  }

  /** Comes back now: somebody is waiting for it. */
  reconnect() {
    this.#refusedTokens = 0;
    if (this.state === 'waiting' || this.state === 'closed') this.#connect();
  }

  close() {
    for (const type of ['online', 'offline', 'pageshow']) globalThis.removeEventListener?.(type, this.#nudge);
    globalThis.document?.removeEventListener('visibilitychange', this.#nudge);
    this.#drop();
    this.#set('closed', { code: 1000, reason: 'bye' });
  }

  /** Calls an HTTP route of the node as whoever the token says. */
  async request(path, { method = 'GET', body } = {}) {
    const response = await this.#options.fetch(this.url + path, {
      method,
      headers: { Authorization: `Bearer ${await this.#credential()}`, ...(body && { 'Content-Type': 'application/json' }) },
      body: body && JSON.stringify(body),
      credentials: 'omit',
    });
    const answer = await response.json().catch(() => null);
    if (response.ok) return answer;
    if (response.status === 401) this.#token = null;
    throw new Refusal(answer?.error ?? { code: 'internal', message: response.statusText }, response.status);
  }

  /** @internal */
  now() {
    return this.#options.now();
  }

  /** @internal Opens the socket at first need. */
  wake() {
    if (this.state === 'closed' && !this.#opened) this.#connect();
  }

  /** @internal */
  forget(conversation) {
    this.#conversations.delete(conversation);
  }

  /** @internal After so many seconds, or a moment that is not the same for everybody. */
  later(act, seconds) {
    return this.#options.setTimeout(act, (seconds ?? 1) * 1000 * (1 + this.#options.random() / 2));
  }

  /** @internal */
  tell(frame) {
    if (this.up) this.#socket.send(JSON.stringify(frame));
  }

  /** @internal Sends a frame and waits for its reply. It never settles when the socket goes first. */
  ask(frame) {
    const ref = frame.ref ?? name();
    return new Promise((resolve, reject) => {
      this.#answers.set(ref, { resolve, reject });
      this.tell({ ...frame, ref });
    });
  }

  async #connect() {
    clearTimeout(this.#timers.retry);
    this.#drop();
    const socket = (this.#socket = {});
    this.#opened = this.now();
    this.#set('connecting');
    let token;
    try {
      token = await this.#credential();
    } catch (error) {
      if (this.#socket !== socket) return;
      const permanent = error?.fatal ?? (error?.status >= 400 && error.status < 500 && error.status !== 429);
      return permanent ? this.#end(4501, error.message, error) : this.#wait(1006, error?.message, error?.retryAfter);
    }
    if (this.#socket === socket) this.#open(token);
  }

  #open(token) {
    const address = `${this.url.replace(/^http/, 'ws')}/v1/ws`;
    const socket = (this.#socket = new this.#options.WebSocket(address, ['tertulia.v1']));
    const mine = (act) => (event) => this.#socket === socket && act(event);
    this.#timers.connect = this.#options.setTimeout(mine(() => this.#lost(1006, 'no answer')), CONNECT_MS);
    // The token goes in a frame, not in the handshake: a refusal then has a close code a page can read,
    // and no proxy writes it to its log. What follows does not wait for the answer.
    socket.onopen = mine(() => {
      clearTimeout(this.#timers.connect);
      this.up = true;
      this.#heard = this.now();
      this.ask({ type: 'auth', token }).then(mine(() => {
        this.#refusedTokens = 0;
        this.#renewLater();
        this.#set('open');
      }), () => {});
      for (const conversation of this.#conversations) conversation.joinNow();
      this.#listenQuietly(25_000);
    });
    socket.onmessage = mine(({ data }) => this.#take(data));
    socket.onclose = mine(({ code, reason }) => this.#lost(code, reason));
    socket.onerror = () => {};
  }

  #take(data) {
    this.#heard = this.now();
    const frame = JSON.parse(data);
    if (frame.type === 'reply') {
      const answer = this.#answers.get(frame.ref);
      this.#answers.delete(frame.ref);
      if (frame.error) answer?.reject(new Refusal(frame.error));
      else answer?.resolve(frame.ok);
    } else if (frame.type === 'hello') this.#listenQuietly(frame.ping_ms);
    else if (frame.type === 'going_away') this.#hint = frame.retry_after_ms;
    else if (frame.conversation) {
      for (const one of this.#conversations) if (one.id === frame.conversation) one.frame(frame);
    } else if (frame.type === 'error') this.dispatchEvent(new CustomEvent('error', { detail: new Refusal(frame.error) }));
  }

  /** The socket is gone, with what it said last. */
  #lost(code, reason) {
    this.#drop();
    const constant = typeof this.#options.token !== 'function';
    if (code === 4401 || code === 4501) {
      this.#token = null;
      // A token that was just made and is refused all the same will be refused again.
      if (constant || (code === 4501 && ++this.#refusedTokens > 1)) return this.#end(code, reason);
      return this.#wait(code, reason, this.#attempt ? undefined : 0);
    }
    if (OURS.has(code) || (code >= 4500 && code <= 4999)) return this.#end(code, reason);
    this.#wait(code, reason, this.#hint === null ? undefined : this.#hint / 1000);
  }

  #wait(code, reason, seconds) {
    if (this.now() - this.#opened > STABLE_MS) this.#attempt = 0;
    const most = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#attempt++);
    // Full jitter: clients that were cut together do not come back together.
    let pause = seconds === undefined ? most * this.#options.random() : seconds * 1000;
    if (code === 4029) pause += FLOODED_MS;
    this.#hint = null;
    this.#set('waiting', { retryAt: this.now() + pause, code, reason });
    this.#timers.retry = this.#options.setTimeout(() => this.state === 'waiting' && this.#connect(), pause);
  }

  #end(code, reason, error) {
    this.#drop();
    const refusal = error instanceof Refusal ? error : new Refusal({ code: error?.code ?? 'closed', message: reason || `closed with ${code}` });
    this.#set('closed', { code, reason, error: refusal });
    for (const conversation of this.#conversations) conversation.refused(refusal);
  }

  #drop() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    const socket = this.#socket;
    this.#socket = null;
    this.up = false;
    this.#answers.clear();
    for (const conversation of this.#conversations) conversation.offline();
    socket?.close?.(1000);
  }

  /** A browser hides the server's pings: after a silence, ask whether anybody is there. */
  #listenQuietly(pause) {
    clearTimeout(this.#timers.quiet);
    this.#timers.quiet = this.#options.setTimeout(() => {
      if (this.now() - this.#heard >= pause) this.#probe();
      this.#listenQuietly(pause);
    }, pause);
  }

  #probe() {
    const socket = this.#socket;
    const asked = this.now();
    this.ask({ type: 'ping' }).catch(() => {});
    clearTimeout(this.#timers.pong);
    this.#timers.pong = this.#options.setTimeout(() => {
      if (this.#socket === socket && this.#heard < asked) this.#lost(1006, 'no answer');
    }, PONG_MS);
  }

  #wakeUp() {
    if (globalThis.document?.visibilityState === 'hidden') return;
    if (this.state === 'waiting') this.#connect();
    else if (this.up) this.#probe();
  }

  async #credential() {
    const { token } = this.#options;
    if (typeof token !== 'function') return token;
    if (this.#token && !(this.#token.until <= this.now())) return this.#token.token;
    // Asked for by the socket and by a request at once, one is enough for both.
    this.#making ??= token().finally(() => { this.#making = null; });
    const made = await this.#making;
    const { token: text, expires_at: at } = typeof made === 'string' ? { token: made } : made;
    const left = at ? Date.parse(at) - this.now() : NaN;
    // Without a time it may be used once; with one, until a little before its end.
    this.#token = { token: text, left, until: at ? this.now() + left - Math.min(left / 5, 30_000) : 0 };
    return text;
  }

  /** A new token on the living socket, so that no reply is cut for it. */
  #renewLater() {
    const { until, left } = this.#token ?? {};
    if (!(left > 0)) return;
    const socket = this.#socket;
    this.#timers.renew = this.#options.setTimeout(async () => {
      try {
        const token = await this.#credential();
        if (this.#socket !== socket) return;
        await this.ask({ type: 'auth', token });
        this.#renewLater();
      } catch {
        // The socket will be closed with 4401, and that is dealt with.
      }
    }, Math.min(Math.max(until - this.now(), 1000), 2 ** 31 - 1));
  }

  #set(state, detail) {
    this.state = state;
    this.dispatchEvent(new CustomEvent('state', { detail: { state, ...detail } }));
  }
}

/** Keeps what was said and not yet answered, where it outlives the page. */
function queueIn(storage) {
  const key = (id) => `tertulia:unsent:${id ?? 'new'}`;
  return {
    load(id) {
      try {
        return JSON.parse(storage?.getItem(key(id)) ?? '[]');
      } catch {
        return [];
      }
    },
    save(id, queue) {
      try {
        if (queue.length) storage?.setItem(key(id), JSON.stringify(queue));
        else storage?.removeItem(key(id));
      } catch {
        // A full or forbidden storage costs the reload in mid-send, nothing else.
      }
    },
  };
}
