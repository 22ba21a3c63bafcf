// The token that a client speaks with: given once, or asked for when it is needed and kept until its end.
// Invariant: what is given out is a token; an answer without one is this side's failure and never the node's.

import { Refusal } from './transcript.js';

/** A token function that says nothing for so long has failed. */
const PATIENCE_MS = 20_000;
/** So long before its end a token is renewed, or after four fifths of its time. */
const MARGIN_MS = 30_000;

export class Credential {
  #source;
  #surroundings;
  #made = null;
  #making = null;
  /** The failure after which the source asked to wait, and until when. */
  #refused = null;

  /** `source` is a token or a function that gets one; `surroundings` has `now` and `setTimeout`. */
  constructor(source, surroundings) {
    this.#source = source;
    this.#surroundings = surroundings;
  }

  /** Whether there is only this one token. */
  get constant() {
    return typeof this.#source !== 'function';
  }

  /** How many milliseconds are left before it should be renewed; null when it need not be. */
  get left() {
    return this.#made?.left > 0 ? this.#made.until - this.#surroundings.now() : null;
  }

  /** The next one is made anew. */
  forget() {
    this.#made = null;
  }

  /** The time that the source asked for is over, or somebody does not want to wait. */
  again() {
    this.#refused = null;
  }

  async get() {
    if (this.constant) {
      if (tokenOf(this.#source)) return this.#source;
      throw Object.assign(new Error('`token` is neither a text nor a function'), { fatal: true });
    }
    const { now } = this.#surroundings;
    if (this.#made && !(this.#made.until <= now())) return this.#made.token;
    if (this.#refused?.until > now()) throw this.#refused.error;
    // Asked for by the socket and by a request at once, one is enough for both.
    this.#making ??= this.#inTime(Promise.resolve().then(this.#source).then(checked)).finally(() => { this.#making = null; });
    const made = await this.#making.catch((error) => {
      this.#refused = error?.retryAfter > 0 ? { error, until: now() + error.retryAfter * 1000 } : null;
      throw error;
    });
    this.#refused = null;
    const left = lifeOf(made);
    // Without a time it may be used once; with one, until a little before its end.
    this.#made = { token: made.token, left, until: left > 0 ? now() + left - Math.min(left / 5, MARGIN_MS) : 0 };
    return made.token;
  }

  #inTime(made) {
    return new Promise((resolve, reject) => {
      const timer = this.#surroundings.setTimeout(() => reject(new Error('no token came in time')), PATIENCE_MS);
      made.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }
}

function tokenOf(source) {
  return typeof source === 'string' && source !== '';
}

/** An answer that is no token passes like a server that is down: the next one may be good. */
function checked(made) {
  const answer = typeof made === 'string' ? { token: made } : made;
  if (tokenOf(answer?.token)) return answer;
  throw new Refusal({ code: 'no_token', message: 'the token function gave no token: it is to give a text, or an object with `token`, and to throw where there is none' });
}

/** How many milliseconds a token has. Its length holds on a computer whose clock is wrong, its end does not. */
function lifeOf({ expires_in: seconds, expires_at: at }) {
  return seconds > 0 ? seconds * 1000 : Date.parse(at) - Date.now();
}
