// The chat on somebody else's page, by one tag:
//   <script src="https://NODE/widget.js?tenant=NAME" async></script>
// It asks the node whether this page may speak to the tenant, shows a button, and loads the rest when
// the page is idle. Nothing of the page's styles reaches it, nothing of it reaches the page.
// There is one chat on a page, however often the tag is run, and it outlives what the page does to its body.

(() => {
  // A library that swaps pages may run the script without its tag: then the tag on the page is meant.
  const tag = document.currentScript?.src ? document.currentScript
    : [...document.querySelectorAll('script[src]')].findLast(({ src }) => new URL(src).pathname.endsWith('/widget.js'));
  const present = globalThis[Symbol.for('tertulia.widget')];
  if (!tag) return present ? present.stay() : console.error('Tertulia: load widget.js with a <script> tag.');
  const node = new URL(tag.src).origin;
  // A tag manager may drop attributes; an address it leaves alone.
  const asked = new URL(tag.src).searchParams;
  const tenant = tag.dataset.tenant || asked.get('tenant') || (location.origin === node ? 'demo' : null);
  const scheme = tag.dataset.scheme || asked.get('scheme');
  if (!tenant) return console.error(`Tertulia: no chat on this page: whose? Write <script src="${node}/widget.js?tenant=NAME" async></script>, with your tenant's name.`);
  if (present?.node === node && present.tenant === tenant) return present.stay();
  // The page has come to another tenant's part of the site.
  present?.remove();

  const PAUSES_MS = [2_000, 10_000, 60_000, 300_000];
  const SPREAD_MAX_MS = 30_000;
  /** Refusals that leave the visitor without a chat for a time that is known. */
  const LIMITS = new Set(['rate_limited', 'quota_exhausted']);
  /** A page that takes the chat out again and again does not want it. */
  const SWAPS_MAX = 30;
  const SWAPS_MS = 10_000;
  const me = { node, tenant, stay: () => {}, forget: () => {}, remove: () => { end(); me.forget(); } };
  globalThis[Symbol.for('tertulia.widget')] = me;
  let ended = false;
  function end() {
    ended = true;
    if (globalThis[Symbol.for('tertulia.widget')] === me) delete globalThis[Symbol.for('tertulia.widget')];
  }

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
    @media print { :host { display: none !important; } }
    .launcher.later { background: #6b6259; color: #fff; }
    .comes { position: fixed; inset: auto 1.25rem 5.75rem auto; max-inline-size: min(18rem, calc(100vw - 2.5rem)); margin: 0; padding: 0.75rem 1rem;
      border-radius: 0.8rem; background: #1c1712; color: #fff; font: 0.9375rem/1.4 system-ui, sans-serif; }
    .comes:empty { display: none; }
    @media (prefers-reduced-motion: reduce) { .launcher { transition: none; } }
  `;

  const load = (path) => import(`${node}/web/${path}`);
  const idle = globalThis.requestIdleCallback ?? ((act) => setTimeout(act, 200));

  async function begin(attempt = 0) {
    let parts;
    let told = null;
    try {
      const [{ visitor }, { kept }, { setAccent }, { h, icon, composing }, { words, direction }, { timeOf }] =
        await Promise.all(['visitor', 'kept', 'accent', 'dom', 'texts', 'time'].map((name) => load(`ui/${name}.js`)));
      told = { h, icon, words, timeOf };
      const token = visitor({ url: node, tenant });
      parts = { look: await token.ready(), token, kept, setAccent, h, icon, composing, words, direction };
    } catch (error) {
      if (ended) return;
      if (error.fatal) {
        const hint = error.code === 'origin_refused' ? ` Add ${location.origin} to \`allowed_origins\` in the tenant's profile.` : '';
        return console.error(`Tertulia: no chat on this page: ${error.message}.${hint}`);
      }
      // The page was not loaded for the chat's sake: it does without until the node is back.
      const pause = Math.max(PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)], (error.retryAfter ?? 0) * 1000);
      const wait = Math.min(pause + Math.min(pause / 2, SPREAD_MAX_MS) * Math.random(), 2 ** 31 - 1);
      if (told && error.retryAfter && LIMITS.has(error.code)) comesLater(told, Date.now() + wait, error);
      return setTimeout(() => ended || begin(attempt + 1), wait);
    }
    me.forget();
    if (!ended) show(parts);
  }

  /** The node has said when: the button stands for the chat until then, and tells it to whoever asks. */
  function comesLater({ h, icon, words: wordsFor, timeOf }, at, error) {
    const words = wordsFor(document.documentElement.lang || undefined);
    console.warn(`Tertulia: the chat comes to this page later, at ${new Date(at).toLocaleTimeString()}: ${error.message} (${error.code}).`);
    me.forget();
    const host = h('tertulia-widget', { lang: words.language });
    const root = host.attachShadow({ mode: 'open' });
    const said = h('p', { class: 'comes', role: 'status' });
    const tell = () => { said.textContent = said.textContent ? '' : words('comesAt', { time: timeOf(at, words.locale) }); };
    root.append(h('aside', { class: 'stage', 'aria-label': words('thread') }, said,
      h('button', { class: 'launcher later', type: 'button', 'aria-label': words('open'), onclick: tell }, icon('chat'))));
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    document.body.append(host);
    me.forget = () => host.remove();
  }

  function show({ look, token, kept, setAccent, h, icon, composing, words: wordsFor, direction }) {
    const storage = kept('localStorage');
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
    const keeper = keep(host, { before: shape, after: restore });
    me.stay = keeper.stay;
    // What is written here is neither for the page's shortcuts nor for a dialog of its own that keeps the keyboard.
    for (const type of ['keydown', 'keypress', 'keyup', 'focusin', 'focusout']) root.addEventListener(type, (event) => event.target.closest?.('.card') && event.stopPropagation());
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
      if (!chat || card.open === open) return;
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
        end();
        keeper.stop();
        removeEventListener('storage', readElsewhere);
        for (const type of ['resize', 'scroll']) globalThis.visualViewport?.removeEventListener(type, fit);
        chat?.panel.leave();
        chat?.client.close();
        host.remove();
        if (globalThis.tertulia === api) delete globalThis.tertulia;
      },
    };
    globalThis.tertulia = api;
    me.remove = api.remove;
    idle(() => prepare().catch((error) => console.warn(`Tertulia: the chat is not ready yet: ${error.message}`)));
  }

  /**
   * Keeps the chat on a page that swaps its body or what is in it. `before()` notes what an element loses
   * when it is taken out, again and again while it is there; `after(noted)` gives it back.
   */
  function keep(host, { before, after }) {
    let noted = null;
    let swaps = [];
    const note = () => { if (host.isConnected) noted = before(); };
    const watch = new MutationObserver(stay);

    function stay() {
      const { body } = document;
      if (!host.isConnected && body) {
        swaps = [...swaps.filter((at) => performance.now() - at < SWAPS_MS), performance.now()];
        if (swaps.length > SWAPS_MAX) return stop();
        body.append(host);
        if (noted) after(noted);
      }
      // What a library keeps of a page for the way back is a likeness of the chat without its inside.
      for (const other of document.querySelectorAll('tertulia-widget')) if (other !== host && !other.shadowRoot) other.remove();
      watch.disconnect();
      for (const parent of [document, document.documentElement, body]) if (parent) watch.observe(parent, { childList: true });
    }

    function stop() {
      watch.disconnect();
    }

    for (const type of ['focusin', 'focusout', 'click', 'keyup']) host.shadowRoot.addEventListener(type, () => setTimeout(note));
    host.shadowRoot.addEventListener('scroll', note, { capture: true, passive: true });
    stay();
    return { stay, stop, note };
  }

  if (document.body) begin();
  else document.addEventListener('DOMContentLoaded', () => begin());
})();
