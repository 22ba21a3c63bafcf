// Waits for a node that does not answer, or has no time now, and says so meanwhile.

import { t } from './texts.js';

/** An answer that takes so long is worth a word. */
const SLOW_MS = 1_500;
const RETRY_MS = 3_000;

/**
 * What `call()` answers, however often it has to be made; a failure that does not pass is thrown.
 * `tell(text)` says how the line is, with nothing at the end.
 */
export async function patiently(call, tell) {
  for (;;) {
    const slow = setTimeout(() => tell(t('line.silent')), SLOW_MS);
    try {
      const answer = await call();
      tell('');
      return answer;
    } catch (error) {
      if (error.status && error.status < 500 && error.status !== 429) {
        tell('');
        throw error;
      }
      tell(t(navigator.onLine ? 'line.unreached' : 'line.offline'));
      await pause(error.retryAfter);
    } finally {
      clearTimeout(slow);
    }
  }
}

/** As long as the node asked for; else a moment, or until the network comes back. Not the same for everybody. */
function pause(seconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, (seconds * 1000 || RETRY_MS) * (1 + Math.random() / 2));
    if (!seconds) addEventListener('online', resolve, { once: true });
  });
}
