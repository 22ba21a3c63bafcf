// The chat on somebody else's page, by one tag:
//   <script src="https://NODE/widget.js?tenant=NAME" async></script>
// It asks the node whether this page may speak to the tenant, shows a button, and loads the rest when
// the page is idle. Nothing of the page's styles reaches it, nothing of it reaches the page.
// There is one chat on a page, however often the tag is run, and it outlives what the page does to its body.

import { visitor } from '../ui/visitor.js';
import { later } from './later.js';
import { show } from './show.js';
import { asked } from './tag.js';

const PRESENT = Symbol.for('tertulia.widget');
const PAUSES_MS = [2_000, 10_000, 60_000, 300_000];
const SPREAD_MAX_MS = 30_000;
/** Refusals that leave the visitor without a chat for a time that is known. */
const LIMITS = new Set(['rate_limited', 'quota_exhausted']);

load();

function load() {
  const ask = asked();
  const present = globalThis[PRESENT];
  if (!ask) return present ? present.stay() : console.error('Tertulia: load widget.js with a <script> tag.');
  const { node, tenant } = ask;
  if (!tenant) return console.error(`Tertulia: no chat on this page: whose? Write <script src="${node}/widget.js?tenant=NAME" async></script>, with your tenant's name.`);
  if (present?.node === node && present.tenant === tenant) return present.stay();
  // The page has come to another tenant's part of the site.
  present?.remove();
  const me = widget(ask);
  globalThis[PRESENT] = me;
  if (document.body) me.begin();
  else document.addEventListener('DOMContentLoaded', () => me.begin());
}

/** What stands for the chat of one tenant on this page, from the first question to its end. */
function widget({ node, tenant, scheme }) {
  const me = {
    node, tenant, begin,
    /** Takes away what `later` has shown. */
    forget: () => {},
    stay: () => {},
    remove: () => { end(); me.forget(); },
  };
  let ended = false;

  function end() {
    ended = true;
    if (globalThis[PRESENT] === me) delete globalThis[PRESENT];
  }

  async function begin(attempt = 0) {
    const token = visitor({ url: node, tenant });
    let look;
    try {
      look = await token.ready();
    } catch (error) {
      if (!ended) refused(error, attempt);
      return;
    }
    me.forget();
    if (ended) return;
    const { stay, remove } = show({ node, tenant, scheme, look, token, end });
    Object.assign(me, { stay, remove });
  }

  function refused(error, attempt) {
    if (error.fatal) {
      const hint = error.code === 'origin_refused' ? ` Add ${location.origin} to \`allowed_origins\` in the tenant's profile.` : '';
      return console.error(`Tertulia: no chat on this page: ${error.message}.${hint}`);
    }
    // The page was not loaded for the chat's sake: it does without until the node is back.
    const pause = Math.max(PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)], (error.retryAfter ?? 0) * 1000);
    const wait = Math.min(pause + Math.min(pause / 2, SPREAD_MAX_MS) * Math.random(), 2 ** 31 - 1);
    if (error.retryAfter && LIMITS.has(error.code)) {
      me.forget();
      me.forget = later(Date.now() + wait, error);
    }
    setTimeout(() => ended || begin(attempt + 1), wait);
  }

  return me;
}
