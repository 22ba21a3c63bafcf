// The studio from top to bottom: who is signed in, which page is open, what surrounds the pages.

import { Api } from './api.js';
import { fill, h, icon } from './dom.js';
import { keys } from './keys.js';
import { Line } from './line.js';
import { notices } from './notices.js';
import { patiently } from './patience.js';
import { personOf } from './person.js';
import { ProfileDraft } from './profile.js';
import { signIn } from './signin.js';
import { t } from './texts.js';
import { unsentOf } from './unsent.js';
import { answers } from './pages/answers.js';
import { assistant } from './pages/assistant.js';
import { conversations } from './pages/conversations.js';
import { teach } from './pages/teach.js';
import { tryOut } from './pages/try.js';
import { website } from './pages/website.js';

// In the order in which a new owner needs them.
const PAGES = { teach, try: tryOut, answers, assistant, website, conversations };

/** What there is for an agent. */
const AGENTS_PAGES = ['conversations'];

const root = document.getElementById('studio');
const notice = notices();
document.body.append(notice.node);

let studio = null;
let open = null;
/** Settings that were not saved when their key ended: they wait for whoever comes with the next one. */
let left = null;

begin();
addEventListener('hashchange', () => studio && show());
addEventListener('beforeunload', (event) => {
  if ((studio?.draft ?? left)?.dirty || open?.page.busy?.()) event.preventDefault();
});

/** Goes on with the key kept from last time, or asks for one. */
async function begin() {
  const key = keys.read();
  if (!key) return ask();
  const told = h('p', { class: 'waiting', role: 'status' }, t('opening'));
  fill(root, told);
  const api = new Api(key);
  try {
    enter(api, await patiently(() => api.opens(), (text) => (told.textContent = text || t('opening'))));
  } catch (error) {
    if (error.status === 401 || error.status === 403) keys.forget();
    ask(error.status === 401 ? t('signin.outdated') : t('problem', { reason: error.message }));
  }
}

function ask(trouble) {
  document.title = t('title.signin');
  fill(root, signIn({ trouble, onEnter: enter }));
}

function enter(api, { tenant, agent = null }) {
  const draft = (agent === null && left?.goOn(api, tenant)) || new ProfileDraft(api, tenant);
  left = null;
  const person = personOf(tenant.name, agent);
  const unsent = unsentOf(person);
  const client = api.connect(unsent);
  const pages = agent === null ? Object.keys(PAGES) : AGENTS_PAGES;
  studio = { api, client, line: new Line(client), draft, unsent, person, notice, t, agent, pages, go: (to) => (location.hash = to) };
  api.addEventListener('refused', ({ detail }) =>
    leave(detail.code === 'tenant_disabled' ? detail.message : t(api.isAgents ? 'signin.refused.token' : 'signin.refused')),
  );
  sendLeft();
  fill(root, frame(tenant));
  show(true);
}

/** Sends what this person has said and the end of their key, or of the page, has cut off; nobody need look at it for that. */
function sendLeft() {
  const { client, unsent } = studio;
  for (const id of unsent.conversations().filter((id) => id.startsWith('conv_'))) {
    const conversation = client.join(id);
    // Whoever opens it sees it at the words themselves.
    conversation.addEventListener('change', ({ detail: { entry } }) => {
      const told = entry?.status === 'failed' && !client.shut && !location.hash.includes(id);
      if (told) notice.tell(t('unsent.lost', { text: entry.text, reason: entry.error.message }), { bad: true });
    });
    conversation.leave();
  }
}

/** Ends the session here. What was not saved or sent is gone, so the person is asked first. */
async function signOut() {
  const here = studio;
  const lost = [here.draft.dirty && '', here.unsent.conversations().length > 0 && '.unsent'].filter((one) => one !== false);
  if (lost.length) {
    const text = lost.map((one) => t(`signout.text${one}`)).join(' ');
    if (!(await notice.confirm({ title: t(`signout.title${lost[0]}`), text, action: t('signout.action') }))) return;
  }
  // While they were asked their key may have ended.
  if (studio !== here) return;
  leave();
  here.unsent.clear();
  left = null;
}

/** With `trouble` it was not the person's wish: what is theirs waits for them. */
function leave(trouble) {
  if (!studio) return;
  keys.forget();
  left = studio.draft.dirty ? studio.draft : null;
  open?.page.leave?.();
  open = null;
  studio.line.leave();
  studio.client.close();
  studio = null;
  notice.clear();
  ask(trouble);
}

let main;

function frame(tenant) {
  const tabs = studio.pages.map((name) =>
    h('li', {}, h('a', { href: `#/${name}`, data: { page: name } }, icon(name), h('span', {}, t(`nav.${name}`)))),
  );
  main = h('main', { id: 'page', tabindex: '-1' });
  return [
    h(
      'a',
      {
        class: 'skip',
        href: '#page',
        on: {
          click: (event) => {
            event.preventDefault();
            main.focus();
          },
        },
      },
      t('skip'),
    ),
    h(
      'header',
      { class: 'top' },
      h(
        'a',
        { class: 'brand', href: `#/${studio.pages[0]}` },
        h('img', { src: import.meta.resolve('../ui/icon.svg'), alt: '', width: 28, height: 28 }),
        h('span', {}, t('brand')),
      ),
      h('p', { class: 'tenant' }, h('span', { class: 'unseen' }, t('tenant')), h('bdi', {}, tenant.name), studio.agent === null ? null : [' · ', h('bdi', {}, studio.agent)]),
      h(
        'a',
        { class: 'button plain', href: `${tenant.public_url ?? ''}/?tenant=${encodeURIComponent(tenant.name)}`, target: '_blank', rel: 'noopener' },
        icon('chat'),
        h('span', {}, t('openchat')),
      ),
      h('button', { class: 'button plain', type: 'button', on: { click: signOut } }, icon('leave'), h('span', {}, t('signout'))),
    ),
    h('nav', { class: 'rail', 'aria-label': t('nav') }, h('ul', {}, tabs)),
    main,
  ];
}

/** Shows the page that the address names. */
function show(first = false) {
  const [name, ...rest] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  const page = studio.pages.includes(name) ? name : studio.pages[0];
  if (open?.name === page && open.page.update) return open.page.update(rest);
  open?.page.leave?.();
  const shown = PAGES[page](studio, rest);
  open = { name: page, page: shown };
  for (const link of document.querySelectorAll('nav.rail a')) {
    if (link.dataset.page === page) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  main.dataset.page = page;
  fill(main, shown.node);
  document.title = t('title', { page: t(`nav.${page}`), tenant: studio.draft.tenant.name });
  main.scrollTop = 0;
  if (!first) shown.node.querySelector('h1')?.focus();
}
