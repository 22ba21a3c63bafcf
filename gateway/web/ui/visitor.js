// A visitor of a page: gets tokens from the node, and is the same person when they come back.

import { kept } from './kept.js';

const PATIENCE_MS = 15_000;
const SECRET = /^[\x21-\x7e]{1,1024}$/;

/**
 * A token function for the client. `look` holds how the tenant wants its chat to look, after the first call.
 * Its failure has the node's `code`; with `fatal` there is no use in trying again.
 */
export function visitor({ url = location.origin, tenant = 'demo', storage = kept('localStorage') } = {}) {
  const key = `tertulia:visitor:${url}:${tenant}`;
  let first = null;

  async function ask() {
    // Others write there too: what cannot be a secret of ours is none, and must not keep the visitor out.
    const known = SECRET.exec(storage.getItem(key) ?? '')?.[0];
    const response = await fetch(`${url}/v1/widget/${encodeURIComponent(tenant)}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(known ? { visitor: known } : {}),
      credentials: 'omit',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    // A proxy's own page is no answer of ours; its status says enough.
    const answer = await response.json().catch(() => ({}));
    if (!response.ok || !answer.token) {
      const { code, message, retry_after: retryAfter } = answer.error ?? {};
      const fatal = response.status >= 400 && response.status < 500 && ![408, 425, 429].includes(response.status);
      throw Object.assign(new Error(message ?? response.statusText), { code, fatal, retryAfter, status: response.status });
    }
    // By the node's clock, not by the visitor's, which may be hours off.
    const lives = Date.parse(answer.expires_at) - Date.parse(response.headers.get('date'));
    if (lives > 0) answer.expires_in = lives / 1000;
    storage.setItem(key, answer.visitor);
    token.look = answer.look;
    token.contact = answer.contact;
    return answer;
  }

  function token() {
    const made = first ?? ask();
    first = null;
    return made;
  }

  /** Asks ahead of the client's need; the client then gets this answer. */
  token.ready = async () => {
    first ??= ask();
    const mine = first;
    mine.catch(() => { if (first === mine) first = null; });
    return (await mine).look;
  };
  return token;
}
