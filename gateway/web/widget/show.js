// The button on somebody else's page, and the chat behind it.

import { setAccent } from '../ui/accent.js';
import { composing, h, icon } from '../ui/dom.js';
import { kept } from '../ui/kept.js';
import { direction, words as wordsFor } from '../ui/texts.js';
import { Host } from './host.js';

const CHAT = import.meta.resolve('./chat.js');

const idle = globalThis.requestIdleCallback ?? ((act) => setTimeout(act, 200));

/**
 * Shows the button and loads the chat behind it. `end()` is called when the chat is removed. Returns `stay()`,
 * which puts it back where the page has taken it out, and `remove()`.
 */
export function show({ node, tenant, scheme, look, token, end }) {
  const storage = kept('localStorage');
  const words = wordsFor(look.language || document.documentElement.lang || undefined);
  const name = look.name || words('assistant');
  const remembered = `tertulia:conversation:${node}:${tenant}`;
  const dir = look.language ? direction(look.language) : getComputedStyle(document.documentElement).direction;
  const badge = h('span', { class: 'badge', hidden: true, 'aria-hidden': 'true' });
  const launcher = h('button', { class: 'launcher', type: 'button', 'aria-expanded': 'false', 'aria-label': words('open'), onclick: () => toggle() }, icon('chat'), badge);
  const stage = h('aside', { dir, class: look.side === 'left' ? 'stage at-left' : 'stage', 'aria-label': words('thread') }, launcher);
  stage.style.colorScheme = scheme || 'light dark';
  setAccent(stage, look.color);
  const host = new Host(stage, words.language);
  const { root } = host;
  host.place();
  const keeper = host.keep({ before: shape, after: restore });
  // What is written here is neither for the page's shortcuts nor for a dialog of its own that keeps the keyboard.
  for (const type of ['keydown', 'keypress', 'keyup', 'focusin', 'focusout']) root.addEventListener(type, (event) => event.target.closest?.('.card') && event.stopPropagation());

  let loading = null;
  let removed = false;
  let chat = null;
  let card = null;
  let unread = 0;

  /** Everything behind the button; asked for once, tried again when it did not come. */
  function prepare() {
    loading ??= import(new URL(CHAT, node)).then(build);
    loading.catch(() => { loading = null; });
    return loading;
  }

  function build({ Tertulia, Panel, styles }) {
    if (removed) return;
    host.dress(styles);
    const client = new Tertulia({ url: node, token, storage: kept('sessionStorage', tenant), locale: look.language || undefined });
    const panel = new Panel({ client, words, look, draft: `widget:${tenant}`, fresh });
    panel.onread = () => count(0);
    const again = h('button', { type: 'button', 'aria-label': words('startNew'), title: words('startNew'), onclick: fresh }, icon('plus'));
    const shut = h('button', { type: 'button', 'aria-label': words('close'), title: words('close'), onclick: () => toggle(false) }, icon('close'));
    card = h('dialog', { class: 'card', 'aria-label': name, onkeydown: keys, oncancel: (event) => { event.preventDefault(); toggle(false); } },
      h('header', {}, h('h2', { dir: 'auto' }, name), again, shut), panel.element);
    stage.append(card);
    chat = { client, panel };
    const known = storage.getItem(remembered);
    join(/^conv_[0-9a-f]{32}$/.test(known) ? known : null);
  }

  function join(id) {
    const { client, panel } = chat;
    const conversation = id || panel.opened ? client.join(id) : null;
    if (!conversation) return;
    panel.show(conversation);
    const shown = () => panel.conversation === conversation;
    conversation.addEventListener('joined', ({ detail }) => detail.opened && shown() && storage.setItem(remembered, detail.conversation));
    conversation.addEventListener('error', ({ detail }) => {
      // What was remembered is not this visitor's any more; before anybody saw it, that is no news.
      if (!detail.temporary && shown() && !panel.opened) {
        storage.removeItem(remembered);
        conversation.leave();
        panel.conversation = null;
      }
    });
    conversation.addEventListener('event', ({ detail }) => {
      const theirs = detail.type === 'message' && detail.author !== 'contact';
      if (theirs && shown() && detail.seq > readUpTo() && !card.open) count(unread + 1);
    });
  }

  function fresh() {
    storage.removeItem(remembered);
    chat.panel.conversation?.leave();
    count(0);
    join(null);
    chat.panel.composer.focus();
  }

  function readUpTo() {
    return Number(storage.getItem(`${remembered}:read`)) || 0;
  }

  /** What was read in another tab is not unread here. */
  function readElsewhere({ key }) {
    const conversation = chat?.panel.conversation;
    if (key !== `${remembered}:read` || !conversation || !unread) return;
    draw(conversation.entries.filter(({ author, seq }) => seq > readUpTo() && ['assistant', 'human'].includes(author)).length);
  }
  addEventListener('storage', readElsewhere);

  function count(to) {
    draw(to);
    if (!to && chat?.panel.conversation) storage.setItem(`${remembered}:read`, String(chat.panel.conversation.head));
  }

  function draw(to) {
    unread = to;
    badge.hidden = !to;
    badge.textContent = to > 9 ? '9+' : String(to);
    launcher.setAttribute('aria-label', to ? `${words('open')}, ${words('unread', { n: to })}` : words('open'));
  }

  function keys(event) {
    if (event.key === 'Escape' && !composing(event)) toggle(false);
  }

  async function toggle(open = !card?.open) {
    if (!chat) await prepare().catch((error) => console.warn(`Tertulia: the chat did not load: ${error.message}`));
    if (!chat || removed || card.open === open) return;
    launcher.setAttribute('aria-expanded', String(open));
    if (!open) {
      card.close();
      launcher.focus({ preventScroll: true });
      return keeper.note();
    }
    chat.panel.opened = true;
    if (!chat.panel.conversation) join(null);
    spread();
    chat.panel.thread.toEnd();
    chat.panel.composer.focus();
    count(0);
    keeper.note();
  }

  /** A phone's keyboard covers part of the page and changes no other measure of it. */
  function fit() {
    const seen = globalThis.visualViewport;
    if (!seen || !card) return;
    const covers = card.matches(':modal') && seen.scale === 1;
    Object.assign(card.style, covers ? { blockSize: `${seen.height}px`, insetBlock: `${seen.offsetTop}px auto` } : { blockSize: '', insetBlock: '' });
  }
  for (const type of ['resize', 'scroll']) globalThis.visualViewport?.addEventListener(type, fit);

  /** Where it covers the page, the page is out of reach; beside the page, both are in use. */
  function spread() {
    setTimeout(fit);
    if (matchMedia('(max-width: 30rem), (max-height: 30rem)').matches) card.showModal();
    else card.show();
  }

  /** What an element loses when it is taken out of its page: the place of the view and of the keyboard. */
  function shape() {
    const { thread } = chat?.panel ?? {};
    return { open: Boolean(card?.open), focus: root.activeElement, top: thread?.atEnd ? null : thread?.scroller.scrollTop };
  }

  function restore({ open, focus, top }) {
    if (!open) return;
    // A dialog that was taken out says that it is open, and is shown nowhere if it covered the page.
    card.close();
    spread();
    if (top === null) chat.panel.thread.toEnd();
    else chat.panel.thread.scroller.scrollTop = top;
    if (focus && (document.activeElement === document.body || root.activeElement)) focus.focus({ preventScroll: true });
  }

  const api = {
    open: () => toggle(true),
    close: () => toggle(false),
    remove: () => {
      removed = true;
      end();
      keeper.stop();
      removeEventListener('storage', readElsewhere);
      for (const type of ['resize', 'scroll']) globalThis.visualViewport?.removeEventListener(type, fit);
      chat?.panel.leave();
      chat?.client.close();
      host.element.remove();
      if (globalThis.tertulia === api) delete globalThis.tertulia;
    },
  };
  globalThis.tertulia = api;
  idle(() => removed || prepare().catch((error) => console.warn(`Tertulia: the chat is not ready yet: ${error.message}`)));
  return { stay: keeper.stay, remove: api.remove };
}
