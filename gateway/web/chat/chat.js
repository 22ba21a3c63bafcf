// The chat page: one conversation at a time, named in the address, and the visitor's others beside it.

import { Tertulia } from '../tertulia.js';
import { setAccent } from '../ui/accent.js';
import { h, icon } from '../ui/dom.js';
import { Panel } from '../ui/panel.js';
import { direction, words as wordsFor } from '../ui/texts.js';
import { visitor } from '../ui/visitor.js';
import { History } from './history.js';

const RETRY_MS = 3_000;

const tenant = new URLSearchParams(location.search).get('tenant') || 'demo';
const token = visitor({ tenant });
const look = await lookOf(token);
if (look) start(look);

/** How the tenant's chat looks; waits for a node that is not there, and says so. */
async function lookOf() {
  for (;;) {
    try {
      return await token.ready();
    } catch (error) {
      const words = wordsFor();
      const told = h('main', { class: 'stopped' }, h('p', { role: 'status' }, error.fatal ? words('ended') : words('connecting')));
      document.body.replaceChildren(told);
      if (error.fatal) {
        console.error(`Tertulia: no chat for tenant "${tenant}": ${error.message}`);
        return null;
      }
      await new Promise((resolve) => setTimeout(resolve, (error.retryAfter ?? 0) * 1000 || RETRY_MS));
    }
  }
}

function start(look) {
  const words = wordsFor(look.language || undefined);
  const name = look.name || words('assistant');
  document.documentElement.lang = words.language;
  document.documentElement.dir = direction(look.language);
  document.title = name;
  setAccent(document.documentElement, look.color);

  const client = new Tertulia({ url: location.origin, token, storage: sessionStorageOrNothing() });
  const panel = new Panel({ client, words, look, fresh });
  const history = new History({ client, words, tenant });
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
  document.addEventListener('keydown', (event) => event.key === 'Escape' && toggle(false));
  open();
  panel.composer.focus();
  history.refresh();

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
        panel.composer.drafts(`${tenant}:${detail.conversation}`);
      }
    });
    conversation.addEventListener('event', ({ detail }) => {
      if (detail.type === 'message' && !conversation.replaying) history.touch(conversation);
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

function sessionStorageOrNothing() {
  try {
    return globalThis.sessionStorage;
  } catch {
    return null;
  }
}
