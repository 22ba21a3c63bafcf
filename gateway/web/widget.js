// The chat on somebody else's page, by one tag:
//   <script src="https://NODE/widget.js" data-tenant="demo" async></script>
// It asks the node whether this page may speak to the tenant, shows a button, and loads the rest when
// the page is idle. Nothing of the page's styles reaches it, nothing of it reaches the page.

(() => {
  const script = document.currentScript;
  if (!script) return console.error('Tertulia: load widget.js with a <script> tag, not as a module.');
  const node = new URL(script.src).origin;
  const tenant = script.dataset.tenant || 'demo';
  const scheme = script.dataset.scheme;
  const PAUSES_MS = [2_000, 10_000, 60_000];

  const STYLE = `
    :host { all: initial; position: fixed; inset: auto 0 0 auto; z-index: 2147483000; }
    /* The page's rules reach the host, and what is inherited would come in from there. */
    .stage { all: initial; }
    .launcher {
      position: fixed; inset-block-end: max(1.25rem, env(safe-area-inset-bottom)); inset-inline-end: 1.25rem;
      display: grid; place-items: center; inline-size: 3.5rem; block-size: 3.5rem; padding: 0; border: 0;
      border-radius: 50%; background: var(--accent); color: var(--on-accent); box-shadow: 0 4px 18px rgb(0 0 0 / 25%);
      font: 600 0.75rem/1 system-ui, sans-serif; cursor: pointer; transition: scale 0.12s;
    }
    .launcher:hover { scale: 1.05; }
    .launcher:focus-visible { outline: 3px solid var(--accent-ink, var(--accent)); outline-offset: 3px; }
    .launcher .icon { inline-size: 1.65rem; block-size: 1.65rem; }
    .badge {
      position: absolute; inset-block-start: -0.25rem; inset-inline-end: -0.25rem; min-inline-size: 1.4rem;
      padding: 0.3rem 0.35rem; box-sizing: border-box; border-radius: 1rem; background: #1c1712; color: #fff; border: 2px solid #fff;
    }
    .at-left .launcher, .at-left .card { inset-inline: 1.25rem auto; }
    .card {
      position: fixed; inset: auto 1.25rem 5.75rem auto; inset-inline: auto 1.25rem; margin: 0; padding: 0; border: 1px solid var(--line);
      inline-size: min(25rem, calc(100vw - 2.5rem)); block-size: min(40rem, calc(100dvh - 7.25rem)); max-inline-size: none; max-block-size: none;
      border-radius: 1.1rem; overflow: hidden; background: var(--paper); color: var(--ink); box-shadow: 0 12px 48px var(--shadow);
      container-type: inline-size;
    }
    .card[open] { display: flex; flex-direction: column; }
    .card header {
      display: flex; align-items: center; justify-content: space-between; gap: 0.5rem; padding: 0.4rem 0.5rem 0.4rem 1.25rem;
      border-block-end: 1px solid var(--line);
    }
    .card header button {
      display: grid; place-items: center; inline-size: 2.5rem; block-size: 2.5rem; padding: 0; border: 0; border-radius: 0.6rem; background: none;
    }
    .card header button:hover { background: var(--tint); }
    .card h2 { flex: 1; margin: 0; font: 600 1.0625rem/1.3 var(--serif); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .card .panel { flex: 1; block-size: auto; }
    .card .column { padding-inline: 1.25rem; }
    .card .foot { padding-inline: 0.85rem; }
    @media (max-width: 30rem), (max-height: 30rem) {
      .card, .at-left .card { inset: 0; inline-size: 100vw; block-size: 100dvh; border: 0; border-radius: 0; }
    }
    @media (prefers-reduced-motion: reduce) { .launcher { transition: none; } }
  `;

  const load = (path) => import(`${node}/web/${path}`);
  const idle = globalThis.requestIdleCallback ?? ((act) => setTimeout(act, 200));

  async function begin(attempt = 0) {
    let parts;
    try {
      const [{ visitor, localStorageOrNothing }, { setAccent }, { h, icon }, { words, direction }] =
        await Promise.all(['visitor', 'accent', 'dom', 'texts'].map((name) => load(`ui/${name}.js`)));
      const token = visitor({ url: node, tenant });
      parts = { look: await token.ready(), token, setAccent, h, icon, words, direction, storage: localStorageOrNothing() };
    } catch (error) {
      if (error.fatal) {
        const hint = error.code === 'origin_refused' ? ` Add ${location.origin} to \`allowed_origins\` in the tenant's profile.` : '';
        return console.error(`Tertulia: no chat on this page: ${error.message}.${hint}`);
      }
      // The page was not loaded for the chat's sake: it does without until the node is back.
      if (attempt < PAUSES_MS.length) return setTimeout(() => begin(attempt + 1), PAUSES_MS[attempt]);
      return console.warn(`Tertulia: no chat on this page: ${error.message}`);
    }
    show(parts);
  }

  function show({ look, token, setAccent, h, icon, words: wordsFor, direction, storage }) {
    const words = wordsFor(look.language || document.documentElement.lang || undefined);
    const name = look.name || words('assistant');
    const remembered = `tertulia:conversation:${node}:${tenant}`;
    const host = h('tertulia-widget', { lang: words.language });
    const root = host.attachShadow({ mode: 'open' });
    setAccent(host, look.color);
    const dir = look.language ? direction(look.language) : getComputedStyle(document.documentElement).direction;
    const badge = h('span', { class: 'badge', hidden: true, 'aria-hidden': 'true' });
    const launcher = h('button', { class: 'launcher', type: 'button', 'aria-expanded': 'false', 'aria-label': words('open'), onclick: () => toggle() }, icon('chat'), badge);
    const stage = h('aside', { dir, class: look.side === 'left' ? 'stage at-left' : 'stage', 'aria-label': words('thread') }, launcher);
    root.append(stage);
    document.body.append(host);
    Object.assign(stage.style, { colorScheme: scheme || 'light dark', fontSize: 'medium' });
    // Pages change what a `rem` is for their own ends; what the reader has set is `medium`.
    const rem = parseFloat(getComputedStyle(stage).fontSize);
    const sheetOf = (text) => {
      const made = new CSSStyleSheet();
      made.replaceSync(text.replace(/([\d.]+)rem\b/g, (_, count) => `${count * rem}px`));
      return made;
    };
    const own = sheetOf(STYLE);
    root.adoptedStyleSheets = [own];

    let loading = null;
    let chat = null;
    let card = null;
    let unread = 0;

    /** Everything behind the button; asked for once, tried again when it did not come. */
    function prepare() {
      loading ??= Promise.all([
        load('tertulia.js'), load('ui/panel.js'),
        ...['tokens', 'chat', 'reply'].map(async (style) => (await fetch(`${node}/web/ui/${style}.css`)).text()),
      ]).then(([{ Tertulia }, { Panel }, ...styles]) => build(Tertulia, Panel, styles));
      loading.catch(() => { loading = null; });
      return loading;
    }

    function build(Tertulia, Panel, styles) {
      root.adoptedStyleSheets = [...styles.map(sheetOf), own];
      const client = new Tertulia({ url: node, token, storage: sessionStorage });
      const panel = new Panel({ client, words, look, draft: `widget:${tenant}`, fresh });
      panel.onread = () => count(0);
      const again = h('button', { type: 'button', 'aria-label': words('startNew'), title: words('startNew'), onclick: fresh }, icon('plus'));
      const shut = h('button', { type: 'button', 'aria-label': words('close'), title: words('close'), onclick: () => toggle(false) }, icon('close'));
      card = h('dialog', { class: 'card', 'aria-label': name, onkeydown: keys, oncancel: (event) => { event.preventDefault(); toggle(false); } },
        h('header', {}, h('h2', { dir: 'auto' }, name), again, shut), panel.element);
      stage.append(card);
      chat = { client, panel };
      join(storage?.getItem(remembered));
    }

    function join(id) {
      const { client, panel } = chat;
      const conversation = id || panel.opened ? client.join(id) : null;
      if (!conversation) return;
      panel.show(conversation);
      conversation.addEventListener('joined', ({ detail }) => detail.opened && storage?.setItem(remembered, detail.conversation));
      conversation.addEventListener('error', ({ detail }) => {
        // What was remembered is not this visitor's any more; before anybody saw it, that is no news.
        if (!detail.temporary && panel.conversation === conversation && !panel.opened) {
          storage?.removeItem(remembered);
          conversation.leave();
          panel.conversation = null;
        }
      });
      conversation.addEventListener('event', ({ detail }) => {
        const theirs = detail.type === 'message' && detail.author !== 'contact';
        if (theirs && detail.seq > Number(storage?.getItem(`${remembered}:read`) ?? 0) && !card.open) count(unread + 1);
      });
    }

    function fresh() {
      storage?.removeItem(remembered);
      chat.panel.conversation?.leave();
      count(0);
      join(null);
      chat.panel.composer.focus();
    }

    function count(to) {
      unread = to;
      badge.hidden = !to;
      badge.textContent = to > 9 ? '9+' : String(to);
      launcher.setAttribute('aria-label', to ? `${words('open')}, ${words('unread', { n: to })}` : words('open'));
      if (!to && chat?.panel.conversation) storage?.setItem(`${remembered}:read`, String(chat.panel.conversation.head));
    }

    function keys(event) {
      if (event.key === 'Escape') toggle(false);
      // The page's own shortcuts are not for what is written here.
      event.stopPropagation();
    }

    async function toggle(open = !card?.open) {
      if (!chat) await prepare().catch((error) => console.warn(`Tertulia: the chat did not load: ${error.message}`));
      if (!chat || card.open === open) return;
      launcher.setAttribute('aria-expanded', String(open));
      if (!open) {
        card.close();
        launcher.focus({ preventScroll: true });
        return;
      }
      chat.panel.opened = true;
      if (!chat.panel.conversation) join(null);
      // Where it covers the page, the page is out of reach; beside the page, both are in use.
      if (matchMedia('(max-width: 30rem), (max-height: 30rem)').matches) card.showModal();
      else card.show();
      chat.panel.thread.toEnd();
      chat.panel.composer.focus();
      count(0);
    }

    globalThis.tertulia = {
      open: () => toggle(true),
      close: () => toggle(false),
      remove: () => { chat?.client.close(); host.remove(); delete globalThis.tertulia; },
    };
    idle(() => prepare().catch(() => {}));
  }

  if (document.body) begin();
  else document.addEventListener('DOMContentLoaded', () => begin());
})();
