// One document as the assistant knows it: what it is, its passages in their order, and what was left out of it.
// Invariant: passages are shown as they are cut and come in pages; what they hold is text, as in a reply.

import { Markdown } from '../../ui/markdown.js';
import { pathOf, titleOf } from '../../ui/source.js';
import { words } from '../../ui/texts.js';
import { button, fill, h, icon } from '../dom.js';
import { byReason, leftOut } from '../left-out.js';
import { languageName, moment, number, size, t } from '../texts.js';

const PAGE = 50;
const chat = words(['en']);

/** `forget(source)` asks, forgets, and says whether it did. */
export function documentView(studio, source, { forget }) {
  const abort = new AbortController();
  const { signal } = abort;
  const heading = h('h1', { tabindex: '-1', dir: 'auto' }, titleOf({ source }));
  const back = h('a', { class: 'button plain small back', href: '#/teach' }, icon('back'), h('span', {}, t('document.back')));
  const actions = h('div', { class: 'document-actions' });
  const where = h('p', { class: 'document-source', dir: 'auto' }, source);
  const body = h('div', { class: 'document-body' }, h('p', { class: 'soft', role: 'status' }, t('loading')));
  const node = h(
    'div',
    { class: 'page document-page' },
    h('div', { class: 'document-top' }, back, actions),
    h('div', {}, heading, where),
    body,
  );
  const list = h('ol', { class: 'passage-list', 'aria-label': t('document.passages.label') });
  const more = h('div', { class: 'passages-more' });
  let section = null;

  load(0);

  async function load(after) {
    try {
      const { document: facts, passages, next } = await studio.api.document(source, { after, limit: PAGE, signal });
      if (after === 0) head(facts);
      for (const passage of passages) append(passage, facts);
      const left = next === undefined ? 0 : facts.passages - next;
      fill(
        more,
        left ? button(t('document.more', { count: Math.min(PAGE, left) }), { on: { click: () => load(next) } }) : null,
        left ? h('p', { class: 'hint' }, t('document.shown', { shown: number(next), count: facts.passages })) : null,
      );
      // The keyboard goes on where the new ones begin.
      if (after) list.querySelector(`[data-n="${after + 1}"]`)?.focus({ preventScroll: true });
    } catch (error) {
      if (signal.aborted) return;
      if (after) return studio.notice.fail(error);
      if (error.code === 'not_found') return fill(body, h('p', { class: 'remark' }, icon('alert'), h('span', {}, t('document.gone'))));
      fill(
        body,
        h('p', { class: 'remark bad', role: 'alert' }, icon('alert'), h('span', {}, t('problem', { reason: error.message }))),
        h('div', {}, button(t('again'), { icon: 'again', on: { click: () => load(0) } })),
      );
    }
  }

  function head(facts) {
    heading.textContent = facts.title;
    fill(where, facts.address ? h('a', { href: facts.address, target: '_blank', rel: 'noopener noreferrer', dir: 'ltr' }, source) : source);
    fill(
      actions,
      button(t('document.download'), { icon: 'download', kind: 'plain small', on: { click: download } }),
      button(t('shelf.forget'), { kind: 'plain small', 'aria-label': t('shelf.forget.one', { source }), on: { click: drop } }),
    );
    fill(
      body,
      h('section', { class: 'document-text', 'aria-label': t('document.passages.label') }, h('p', { class: 'lede' }, lede(facts)), list, more),
      h('aside', { class: 'document-side', 'aria-label': t('document.about') }, about(facts), missing(facts)),
    );
  }

  /** A passage below its heading; what several have in common is said once. */
  function append(passage, { title }) {
    const path = pathOf({ ...passage, title });
    const key = path.join(' › ');
    if (section?.key !== key) {
      const inner = h('ol', { class: 'passages-of' });
      const name = path.at(-1);
      const above = path.slice(0, -1).join(' › ');
      section = { key, inner };
      list.append(
        h(
          'li',
          { class: 'passage-section' },
          name ? h('h2', { dir: 'auto' }, above ? h('span', { class: 'above' }, `${above} › `) : null, name) : null,
          inner,
        ),
      );
    }
    const text = h('div', { class: 'body', dir: 'auto' });
    new Markdown(text, { words: chat }).update(passage.text);
    section.inner.append(
      h(
        'li',
        { class: 'known', data: { n: passage.n }, tabindex: '-1', 'aria-label': t('document.passage', { n: passage.n }) },
        h('span', { class: 'known-number', 'aria-hidden': 'true' }, number(passage.n)),
        text,
      ),
    );
  }

  async function download({ currentTarget }) {
    currentTarget.setAttribute('aria-disabled', 'true');
    try {
      const text = await studio.api.markdown(source, signal);
      const url = URL.createObjectURL(new Blob([text], { type: 'text/markdown' }));
      const name = `${heading.textContent.replace(/[^\p{L}\p{N} ._-]+/gu, ' ').trim().slice(0, 80) || 'document'}.md`;
      h('a', { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (error) {
      if (!signal.aborted) studio.notice.fail(error);
    }
    currentTarget.removeAttribute('aria-disabled');
  }

  async function drop() {
    if (await forget(source)) studio.go('/teach');
  }

  return { node, focus: () => heading.focus({ preventScroll: true }), leave: () => abort.abort() };
}

function lede({ passages }) {
  return t('document.lede', { count: passages });
}

function about({ address, language, learned_at: at, passages, bytes }) {
  const fact = (name, value) => h('div', { class: 'fact' }, h('dt', {}, name), h('dd', {}, value));
  return h(
    'dl',
    { class: 'document-about' },
    fact(t('document.from'), t(address ? 'document.from.page' : 'document.from.file')),
    fact(t('document.language'), languageName(language)),
    fact(t('document.learned'), moment(at)),
    fact(t('document.passages'), number(passages)),
    fact(t('document.size'), size(bytes)),
  );
}

function missing({ left_out: rows = [] }) {
  const parts = rows.reduce((sum, row) => sum + row.parts, 0);
  const few = byReason(rows).length <= 2;
  return h(
    'section',
    { class: 'document-missing' },
    h('h2', {}, t('document.left')),
    parts ? h('p', { class: 'hint' }, t('left.about')) : h('p', { class: 'hint' }, t('document.left.none')),
    parts ? leftOut(rows, { open: () => few }) : null,
    parts ? h('p', { class: 'hint' }, t('left.missed'), ' ', h('a', { href: '#/answers' }, t('left.missed.action'))) : null,
  );
}
