// The chat page: one conversation at a time, named in the address, and the visitor's others beside it.

import { localeOf } from '../locale.js';
import { Tertulia } from '../tertulia.js';
import { setAccent } from '../ui/accent.js';
import { composing, h, icon } from '../ui/dom.js';
import { kept } from '../ui/kept.js';
import { Panel } from '../ui/panel.js';
import { direction, words as wordsFor } from '../ui/texts.js';
import { visitor } from '../ui/visitor.js';
import { History } from './history.js';

const RETRY_MS = 3_000;
/** A first answer that takes so long is worth a word. */
const PATIENCE_MS = 600;

const tenant = new URLSearchParams(location.search).get('tenant') || 'demo';
const token = visitor({ tenant });
const look = await lookOf(token);
if (look) start(look);

/** How the tenant's chat looks; waits for a node that is not there, and says so. */
async function lookOf() {
  const words = wordsFor();
  const said = h('p', { role: 'status' });
  const tell = (what) => {
    if (!said.isConnected) document.body.replaceChildren(h('main', { class: 'stopped' }, said));
    if (said.textContent !== words(what)) said.textContent = words(what);
  };
  const slow = setTimeout(() => tell('connecting'), PATIENCE_MS);
  for (;;) {
    try {
      const look = await token.ready();
      clearTimeout(slow);
      return look;
    } catch (error) {
      clearTimeout(slow);
      if (error.fatal) {
        tell('ended');
        const hint = error.code === 'origin_refused' ? ' A node with a `public_url` has its chat at that address only.' : '';
        console.error(`Tertulia: no chat for tenant "${tenant}": ${error.message}.${hint}`);
        return null;
      }
      tell(error.retryAfter ? 'later' : navigator.onLine ? 'unreached' : 'offline');
      // Not all at the same moment, and at once when the network comes back.
      await pause((error.retryAfter * 1000 || RETRY_MS) * (1 + Math.random() / 2), !error.retryAfter);
    }
  }
}

function pause(ms, unlessOnline) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
    if (unlessOnline) addEventListener('online', resolve, { once: true });
  });
}

function start(look) {
  const words = wordsFor(look.language || undefined);
  const name = look.name || words('assistant');
  document.documentElement.lang = words.language;
  document.documentElement.dir = direction(look.language);
  document.title = name;
  setAccent(document.documentElement, look.color);

  // Not the page's own: that is the nearest language the chat has words in.
  const locale = localeOf(look.language, ...navigator.languages);
  const client = new Tertulia({ url: location.origin, token, storage: kept('sessionStorage', tenant), locale });
  const panel = new Panel({ client, words, look, fresh });
  const history = new History({ client, words });
  const drawer = h('button', { class: 'tool drawer', type: 'button', 'aria-expanded': 'false', 'aria-controls': 'history', onclick: () => toggle() },
    icon('history'), h('span', {}, words('history')));
  const begin = h('button', { class: 'tool', type: 'button', onclick: () => fresh() }, icon('plus'), h('span', {}, words('startNew')));
  const skip = h('a', { class: 'skip', href: '#', onclick: (event) => { event.preventDefault(); panel.composer.focus(); } }, words('skip'));
  const side = h('nav', { class: 'side', id: 'history', 'aria-label': words('history') },
    h('h2', {}, words('history')), history.element);
  const shade = h('div', { class: 'shade', onclick: () => toggle(false) });

  document.body.replaceChildren(
    h('header', { class: 'top' }, skip, drawer, h('h1', { dir: 'auto' }, name), begin),
    h('div', { class: 'middle' }, side, shade, h('main', {}, panel.element)));

  addEventListener('hashchange', () => open());
  document.addEventListener('keydown', (event) => event.key === 'Escape' && !composing(event) && toggle(false));
  open();
  panel.composer.focus();
  history.refresh();

  // Merges, splits and erasures come without a word to who looks at something else. A socket that comes back and a
  // page that is looked at again are when to ask; who looks elsewhere asks when they come.
  let connected = 0;
  let before = client.state;
  client.addEventListener('state', ({ detail: { state } }) => {
    const came = state === 'open' && before === 'connecting';
    before = state;
    if (came && connected++ && !document.hidden) history.refresh();
  });
  document.addEventListener('visibilitychange', () => document.hidden || history.refresh());

  /** Shows the conversation that the address names, or an empty one. */
  function open() {
    const id = /^#(conv_[0-9a-f]{32})$/.exec(location.hash)?.[1] ?? null;
    if (panel.conversation && panel.conversation.id === id && (id || !panel.conversation.entries.length)) return;
    panel.conversation?.leave();
    const conversation = client.join(id);
    panel.show(conversation);
    panel.composer.drafts(`${tenant}:${id ?? 'new'}`);
    history.mark(id);
    conversation.addEventListener('joined', ({ detail }) => {
      // Whoever left it already is not brought back.
      if (detail.opened && panel.conversation === conversation) {
        window.history.replaceState(null, '', `#${detail.conversation}`);
        panel.composer.renameDraft(`${tenant}:${detail.conversation}`);
      }
    });
    conversation.addEventListener('error', ({ detail }) => detail.code === 'unknown_conversation' && history.drop(conversation.id));
    conversation.addEventListener('event', ({ detail }) => {
      if (detail.type === 'message' && !conversation.replaying) history.touch(conversation, panel.conversation === conversation);
    });
  }

  function fresh() {
    toggle(false);
    if (location.hash) window.history.pushState(null, '', location.pathname + location.search);
    open();
    panel.composer.focus();
  }

  function toggle(shown = drawer.getAttribute('aria-expanded') !== 'true') {
    if (String(shown) === drawer.getAttribute('aria-expanded')) return;
    drawer.setAttribute('aria-expanded', String(shown));
    document.body.classList.toggle('with-history', shown);
    if (shown) history.refresh().then(() => side.querySelector('a')?.focus());
    else drawer.focus();
  }

  addEventListener('popstate', () => open());
  side.addEventListener('click', (event) => event.target.closest('a') && toggle(false));
}
