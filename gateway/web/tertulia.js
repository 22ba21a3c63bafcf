// The client of a Tertulia node: one socket, any number of conversations, each resumed by position.
// Invariant: a socket that goes comes back, unless the node says that it should not. A line that is
// silent while somebody waits for it is told at once, long before the socket would notice.
// It has no dependencies and works wherever there is a WebSocket, `fetch` and `EventTarget`.

import { Conversation } from './conversation.js';
import { Credential } from './credential.js';
import { newRef } from './ref.js';
import { Refusal, Transcript } from './transcript.js';
import { Unsent } from './unsent.js';

export { Conversation, Refusal, Transcript };

/** Close codes that say this client is wrong; coming back would not mend it. */
const OURS = new Set([1002, 1003, 1007, 1009]);
/** Why a socket ends whose `auth` was refused for good, where it is not that the token is wrong. */
const CLOSE_OF = { token_expired: 4401, origin_refused: 4503, tenant_disabled: 4504 };
const NOT_NOW = 4013;
const FLOODED = 4029;
/** What a close code asks to wait at least. */
const ASKED_MS = { [NOT_NOW]: 1_000, [FLOODED]: 10_000 };
const BACKOFF_MS = 400;
const BACKOFF_MAX_MS = 30_000;
const CONNECT_MS = 15_000;
const REQUEST_MS = 15_000;
/** A socket that lived this long was no failed attempt. */
const STABLE_MS = 5_000;
/** While an answer is awaited and nothing is heard: after so long the node is asked for a sign of life, … */
const PROBE_MS = 500;
/** … this is told, … */
const SILENT_MS = 1_200;
/** … and another socket is tried. */
const GIVE_UP_MS = 6_000;
/** A line that lives but owes an answer for so long has lost it. */
const ANSWER_MS = 20_000;
const LOOK_MS = 150;
/** A look that comes so late tells that this page slept, and nothing about the line. */
const SLEPT_MS = 3_000;
/** How long a silence may be while a reply runs before somebody's eyes, and while nothing happens. */
const ATTENTIVE_MS = 1_000;
const PING_MS = 25_000;
/** One of many tabs that is needed again pushes another out: not more often than this. */
const RETURN_MS = 10_000;
/** What a wait that the node asked for may grow by, so that not all come back together. */
const SPREAD_MAX_MS = 30_000;
const TIMER_MAX_MS = 2 ** 31 - 1;
const ADVICE = {
  4401: 'The token has run out. Give a new one: `reconnect({ token })`, or a function as `token`, which is asked for the next one.',
  4501: 'The node does not take this token. Get a valid one and give it: `reconnect({ token })`.',
};
const NUDGES = ['online', 'offline', 'pageshow', 'pagehide'];

/** A connection to a node that comes back by itself. */
export class Tertulia extends EventTarget {
  state = 'closed';
  #options;
  #conversations = new Set();
  /** @internal Whether frames can be sent. */
  up = false;
  /** @internal Why nothing is sent any more, unless `reconnect` is called; null while something may be. */
  over = null;
  /** @internal Whether `close` was called. */
  shut = false;
  #unsent;
  #credential;
  /** The credential that the socket speaks with, or was refused with; another one may have been given since. */
  #spoken = null;
  #socket = null;
  /** Frames that are not answered yet, the oldest first, by `ref`. */
  #answers = new Map();
  #pinging = false;
  #attempt = 0;
  #refusedTokens = 0;
  /** What the node said before it ended the socket, if that passes. */
  #refusal = null;
  #hint = null;
  /** Sent away for newer ones of the same visitor, and when it last came back out of turn. */
  #elsewhere = false;
  #returned = -Infinity;
  #notBefore = 0;
  #timers = {};
  #heard = 0;
  #opened = 0;
  #pingMs = PING_MS;
  #attentive = false;
  #nudge = (event) => this.#nudged(event);

  constructor(options) {
    super();
    this.#options = {
      WebSocket: globalThis.WebSocket, fetch: globalThis.fetch?.bind(globalThis), random: Math.random,
      // Not the clock on the wall, which can be set while somebody waits.
      now: () => performance.now(),
      setTimeout: globalThis.setTimeout.bind(globalThis), storage: null, ...options,
    };
    this.url = (options.url ?? new URL(import.meta.url).origin).replace(/\/$/, '');
    /** @internal In which language who writes here reads, and as which human agent they act, where somebody said so. */
    Object.assign(this, { locale: options.locale, agent: options.agent });
    this.#unsent = new Unsent(this.#options.storage);
    this.#credential = new Credential(options.token, this.#options);
    this.#listen(true);
  }

  /** Listens to a conversation; without an id a new one is opened when something is said. */
  join(conversation, { after } = {}) {
    const known = conversation && [...this.#conversations].find((one) => one.id === conversation);
    if (known) return known.stay();
    const joined = new Conversation(this, conversation, after);
    this.#conversations.add(joined);
    joined.restore();
    this.wake();
    joined.joinNow();
    return joined;
  }

  /** Comes back now, from whatever state: somebody is waiting for it. With a `token` it is that one from now on, on an open socket too. */
  reconnect({ token } = {}) {
    if (token) this.#credential = new Credential(token, this.#options);
    if (this.shut) this.#listen(true);
    this.shut = false;
    this.over = null;
    this.#refusedTokens = 0;
    this.#notBefore = 0;
    // An attempt that is under way has the token before.
    if (['waiting', 'refused', 'closed', token && 'connecting'].includes(this.state)) this.#connect();
    else if (token) this.#renew();
  }

  /** Ends the socket; nothing is sent any more. What was not sent is told as failed. */
  close() {
    if (this.shut) return;
    this.shut = true;
    this.#listen(false);
    this.#end('closed', 1000, 'bye', new Refusal({ code: 'closed', message: 'the client was closed' }));
  }

  /** Calls an HTTP route of the node as whoever the token says. */
  async request(path, { method = 'GET', body } = {}) {
    const credential = this.#credential;
    const token = await credential.get();
    const signal = AbortSignal.timeout(REQUEST_MS);
    const headers = { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) };
    try {
      const response = await this.#options.fetch(this.url + path, { method, headers, body: body && JSON.stringify(body), credentials: 'omit', signal });
      if (response.ok) return await response.json().catch((error) => { if (signal.aborted) throw error; return null; });
      if (response.status === 401) credential.forget();
      throw await Refusal.from(response);
    } catch (error) {
      throw error instanceof Refusal ? error : disconnected(error.message);
    }
  }

  /** @internal */
  now() {
    return this.#options.now();
  }

  /** @internal Opens the socket at first need. */
  wake() {
    if (this.state === 'closed' && !this.#opened && !this.over) this.#connect();
  }

  /** @internal Somebody looks at this page or writes here: then it is the one that has to be there. */
  come() {
    if (this.state !== 'waiting' || !this.#elsewhere) return;
    const act = () => {
      this.#returned = this.now();
      this.#connect();
    };
    const pause = this.#returned + RETURN_MS - this.now();
    if (!(pause > 0)) return act();
    clearTimeout(this.#timers.retry);
    this.#timers.retry = this.#options.setTimeout(act, pause);
  }

  /** @internal Who has something to send is looked after, also when it was left before. */
  care(conversation) {
    this.#conversations.add(conversation);
  }

  /** @internal */
  forget(conversation) {
    this.#conversations.delete(conversation);
  }

  /** @internal Keeps what is not answered yet, of all conversations that are not opened yet together. */
  keep(conversation) {
    const alike = [...this.#conversations].filter((one) => one.id === conversation.id);
    this.#unsent.save(conversation.id, alike.flatMap((one) => one.unsent));
  }

  /** @internal What was kept for a conversation and is not in the care of another. */
  kept(conversation) {
    const cared = new Set([...this.#conversations].flatMap((one) => one.unsent.map(({ ref }) => ref)));
    return this.#unsent.load(conversation.id).filter(({ ref }) => !cared.has(ref));
  }

  /** @internal Once opened it is kept under its id, and not with those that are not opened yet. */
  moved(conversation) {
    this.keep({ id: null });
    this.keep(conversation);
  }

  /** @internal After so many seconds, or a moment that is not the same for everybody. Tells how long that is. */
  later(act, seconds = 1) {
    const pause = Math.min(this.#spread(seconds * 1000), TIMER_MAX_MS);
    return { timer: this.#options.setTimeout(act, pause), pause };
  }

  /** @internal A socket that closes already takes nothing more, and a browser complains of the attempt. */
  tell(frame) {
    if (this.up && (this.#socket.readyState ?? 1) === 1) this.#socket.send(JSON.stringify(frame));
  }

  /** @internal Sends a frame and waits for its reply; it is refused as `disconnected` when the socket goes first. */
  ask(frame) {
    if (!this.up) return Promise.reject(disconnected());
    const ref = frame.ref ?? newRef();
    return new Promise((resolve, reject) => {
      this.#answers.set(ref, { resolve, reject, at: this.now() });
      this.tell({ ...frame, ref });
      this.#watch();
    });
  }

  /** @internal Has the node send no more of a conversation on this socket; where it has no time for that, later. */
  leave(conversation) {
    const socket = this.#socket;
    const again = () => this.#socket === socket && ![...this.#conversations].some(({ id }) => id === conversation) && this.leave(conversation);
    this.ask({ type: 'leave', conversation }).catch((refusal) => refusal.temporary && this.later(again, refusal.retryAfter));
  }

  /** @internal Asks the node for a sign of life, after a silence. */
  probe(silence = 0) {
    if (!this.up || this.#pinging || this.now() - this.#heard < silence) return;
    this.#pinging = true;
    this.ask({ type: 'ping' }).catch(() => {}).finally(() => { this.#pinging = false; });
  }

  /** @internal Whether somebody waits for words may have changed. */
  attend() {
    const attentive = globalThis.document?.visibilityState !== 'hidden' && [...this.#conversations].some((one) => one.running);
    if (attentive === this.#attentive) return;
    this.#attentive = attentive;
    if (this.up) this.#listenQuietly();
  }

  async #connect() {
    this.#drop();
    const socket = (this.#socket = {});
    const credential = (this.#spoken = this.#credential);
    this.#opened = this.now();
    this.#notBefore = 0;
    this.#refusal = this.#hint = null;
    this.#elsewhere = false;
    this.#set('connecting');
    let token;
    try {
      credential.again();
      token = await credential.get();
    } catch (error) {
      if (this.#socket !== socket) return;
      const { status, retryAfter } = error ?? {};
      const again = passes(error);
      const refusal = new Refusal({ code: error?.code ?? (again ? 'no_token' : 'unauthorized'), message: error?.message ?? 'no token', retry_after: retryAfter }, status);
      const advice = `No token could be had: ${refusal.message}.`;
      return again ? this.#wait(1006, refusal.message, { refusal }) : this.#end('refused', CLOSE_OF[refusal.code] ?? 4501, refusal.message, refusal, advice);
    }
    if (this.#socket === socket) this.#open(token);
  }

  #open(token) {
    const address = `${this.url.replace(/^http/, 'ws')}/v1/ws`;
    let socket;
    try {
      socket = this.#socket = new this.#options.WebSocket(address, ['tertulia.v1']);
    } catch (error) {
      // The page's policy forbids it, for one.
      return this.#wait(1006, error.message);
    }
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
      }), mine((refusal) => this.#unknown(refusal)));
      for (const conversation of this.#conversations) conversation.joinNow();
      this.#listenQuietly();
    });
    socket.onmessage = mine(({ data }) => this.#take(data));
    socket.onclose = mine(({ code, reason }) => this.#lost(code, reason));
    socket.onerror = () => {};
  }

  #take(data) {
    this.#heard = this.now();
    if (this.state === 'silent') this.#set('open');
    const frame = JSON.parse(data);
    if (frame.type === 'reply') {
      const answer = this.#answers.get(frame.ref);
      this.#answers.delete(frame.ref);
      if (frame.error) answer?.reject(new Refusal(frame.error));
      else answer?.resolve(frame.ok);
    } else if (frame.type === 'hello') {
      this.#pingMs = frame.ping_ms ?? PING_MS;
      this.#listenQuietly();
    } else if (frame.type === 'going_away') this.#hint = frame.retry_after_ms;
    else if (frame.conversation) {
      for (const one of this.#conversations) if (one.id === frame.conversation) one.frame(frame);
    } else if (frame.type === 'error') {
      const refusal = new Refusal(frame.error);
      if (refusal.temporary) this.#refusal = refusal;
      this.dispatchEvent(new CustomEvent('error', { detail: refusal }));
    }
    this.attend();
  }

  /** Who is speaking could not be settled. The node closes the socket for it; there is nothing to wait for. */
  #unknown(refusal) {
    if (refusal.temporary) this.#refusal = refusal;
    this.#lost(refusal.temporary ? NOT_NOW : CLOSE_OF[refusal.code] ?? 4501, refusal.message, refusal);
  }

  /** The socket is gone, with what it said last. */
  #lost(code, reason, refusal = null) {
    const passing = this.#refusal;
    this.#drop();
    // Refused for a reason that passes: what the close says of the token is then not meant.
    if (passing && (code === 4401 || code === 4501)) code = NOT_NOW;
    // It was the credential before that is refused for good; the one that was given since has not been tried.
    const untried = this.#credential !== this.#spoken;
    if (untried && (code === 4401 || (code >= 4500 && code <= 4999))) return this.#wait(code, reason, { seconds: 0 });
    if (code === 4401 || code === 4501) {
      this.#credential.forget();
      // A token that was just made and is refused all the same will be refused again.
      if (this.#credential.constant || (code === 4501 && ++this.#refusedTokens > 1)) {
        return this.#end('refused', code, reason, refusal ?? new Refusal({ code: code === 4401 ? 'token_expired' : 'unauthorized', message: reason }));
      }
      return this.#wait(code, reason, { seconds: this.#attempt ? undefined : 0 });
    }
    if (OURS.has(code) || (code >= 4500 && code <= 4999)) return this.#end('closed', code, reason, refusal);
    this.#elsewhere = code === NOT_NOW && this.#hint !== null && !passing;
    this.#wait(code, reason, { seconds: this.#hint === null ? undefined : this.#hint / 1000, refusal: passing });
  }

  /** Comes back after a pause: as long as the node asked for with a refusal, so many seconds, or one that grows. */
  #wait(code, reason, { seconds, refusal } = {}) {
    this.#drop();
    const now = this.now();
    if (now - this.#opened > STABLE_MS) this.#attempt = 0;
    const most = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#attempt++);
    // Full jitter: clients that were cut together do not come back together.
    let pause = seconds === undefined ? most * this.#options.random() : seconds * 1000;
    this.#asked(refusal?.retryAfter * 1000 || ASKED_MS[code]);
    if (this.#notBefore > now) pause = Math.max(pause, this.#spread(this.#notBefore - now));
    pause = Math.min(pause, TIMER_MAX_MS);
    this.#set('waiting', { retryAt: Date.now() + pause, code, reason, ...(refusal && { error: refusal }), ...(this.#elsewhere && { elsewhere: true }) });
    this.#timers.retry = this.#options.setTimeout(() => this.state === 'waiting' && this.#connect(), pause);
  }

  /** The node asks to wait: neither a cut, nor a network that comes, nor a page that is looked at shortens it. */
  #asked(ms) {
    if (ms > 0) this.#notBefore = Math.max(this.#notBefore, this.now() + ms);
  }

  #spread(ms) {
    return ms + Math.min(ms / 2, SPREAD_MAX_MS) * this.#options.random();
  }

  /** Comes back no more, unless asked to. */
  #end(state, code, reason, refusal, advice = ADVICE[code]) {
    const error = refusal ?? new Refusal({ code: 'refused', message: reason || `closed with ${code}` });
    this.over = error;
    this.#drop();
    // Who closed it needs no error told.
    this.#set(state, { code, reason, ...(!this.shut && { error }), ...(state === 'refused' && { advice: advice ?? error.message }) });
    // Whoever was told may have closed it, or given another token: then that holds.
    if (this.over === error) for (const conversation of this.#conversations) conversation.refused(error);
  }

  #drop() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers = {};
    const socket = this.#socket;
    this.#socket = null;
    this.up = false;
    const answers = [...this.#answers.values()];
    this.#answers.clear();
    for (const conversation of this.#conversations) conversation.offline();
    socket?.close?.(1000);
    for (const { reject } of answers) reject(disconnected());
  }

  /** Looks after the line for as long as an answer is awaited. */
  #watch() {
    if (this.#timers.watch) return;
    const socket = this.#socket;
    let since = this.now();
    let looked = since;
    const look = () => {
      this.#timers.watch = null;
      if (this.#socket !== socket || !this.#answers.size) return;
      const now = this.now();
      if (now - looked > SLEPT_MS) since = now;
      looked = now;
      const [{ at }] = this.#answers.values();
      const silence = now - Math.max(since, this.#heard);
      if (silence >= GIVE_UP_MS || now - Math.max(since, at) >= ANSWER_MS) return this.#lost(1006, 'no answer');
      if (silence >= PROBE_MS) this.probe();
      if (silence >= SILENT_MS && this.state === 'open') this.#set('silent');
      this.#timers.watch = this.#options.setTimeout(look, LOOK_MS);
    };
    this.#timers.watch = this.#options.setTimeout(look, LOOK_MS);
  }

  /** A browser hides the server's pings: after a silence, ask whether anybody is there. */
  #listenQuietly() {
    clearTimeout(this.#timers.quiet);
    const pause = this.#attentive ? ATTENTIVE_MS : this.#pingMs;
    this.#timers.quiet = this.#options.setTimeout(() => {
      this.probe(pause);
      this.#listenQuietly();
    }, pause);
  }

  #listen(on) {
    const change = on ? 'addEventListener' : 'removeEventListener';
    for (const type of NUDGES) globalThis[change]?.(type, this.#nudge);
    globalThis.document?.[change]('visibilitychange', this.#nudge);
  }

  /** The network, or somebody's eyes, came or went. */
  #nudged({ type, persisted }) {
    // A page that is put away with an open socket cannot be brought back as it was; one that waits goes on waiting.
    if (type === 'pagehide') return persisted && this.#socket && this.#wait(1001, 'the page is put away');
    this.attend();
    if (type !== 'offline' && globalThis.document?.visibilityState === 'hidden') return;
    if (this.#elsewhere && type === 'visibilitychange') this.come();
    else if (this.state === 'waiting' && this.now() >= this.#notBefore && type !== 'offline') this.#connect();
    // An attempt that began without a network may hang for long; another begins afresh.
    else if (this.state === 'connecting' && type === 'online') this.#connect();
    else this.probe();
  }

  /** A new token on the living socket, so that no reply is cut for it. */
  #renewLater() {
    const { left } = this.#credential;
    if (left !== null) this.#timers.renew = this.#options.setTimeout(() => this.#renew(), Math.min(Math.max(left, 1000), TIMER_MAX_MS));
  }

  async #renew() {
    clearTimeout(this.#timers.renew);
    const socket = this.#socket;
    const credential = this.#credential;
    const meant = () => this.#socket === socket && this.#credential === credential;
    try {
      credential.again();
      const token = await credential.get();
      if (!meant()) return;
      await this.ask({ type: 'auth', token });
      if (!meant()) return;
      this.#spoken = credential;
      this.#notBefore = 0;
      this.#renewLater();
    } catch (error) {
      if (!meant()) return;
      if (passes(error)) {
        // On another socket it would be refused as well.
        this.#asked(error?.retryAfter * 1000);
        this.#timers.renew = this.later(() => this.#renew(), error?.retryAfter).timer;
      } else if (credential !== this.#spoken) {
        // One that was given in place of the socket's may be somebody else's: then it needs a socket of its own.
        // A later token of the same source needs nothing: the socket lasts until it is closed with 4401.
        this.#connect();
      }
    }
  }

  #set(state, detail) {
    this.state = state;
    this.dispatchEvent(new CustomEvent('state', { detail: { state, ...detail } }));
  }
}

/** Whether there may be a token, or it may be taken, at another try. */
function passes(error) {
  const { temporary, fatal, status } = error ?? {};
  return temporary ?? !(fatal ?? (status >= 400 && status < 500 && ![408, 425, 429].includes(status)));
}

function disconnected(message = 'the connection is gone') {
  return new Refusal({ code: 'disconnected', message });
}
