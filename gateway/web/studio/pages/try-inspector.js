// What an answer was made from: the passages it had, the model, its speed, its tokens and its price.
// Beside the talk where there is room, over it on a small screen.

import { addressOf, citedIn, isOwn, pathOf, titleOf } from '../../ui/source.js';
import { fill, h, icon } from '../dom.js';
import { documentAddress } from '../left-out.js';
import { dollars, number, seconds, t } from '../texts.js';

const BESIDE = '(min-width: 60rem)';

export function inspector() {
  const heading = h('h2', { id: 'made' }, t('made.title'));
  const body = h('div', { class: 'made-body' });
  const aside = h('aside', { class: 'made', 'aria-labelledby': 'made' }, heading, body);
  const wide = matchMedia(BESIDE);
  let sheet = null;
  let picked = null;

  const close = () => sheet?.close();
  wide.addEventListener('change', close);

  /**
   * Shows an answer. `asked` when the person picked it, which on a small screen opens a sheet;
   * `passage` is the one to open and go to.
   */
  function show(entry, { asked = false, passage } = {}) {
    picked = asked ? entry : null;
    fill(body, entry ? content(entry, passage) : nothing());
    if (asked && !wide.matches) open(entry, passage);
    else if (passage) reveal(body, passage);
  }

  function open(entry, passage) {
    close();
    sheet = h(
      'dialog',
      {
        class: 'sheet',
        'aria-label': t('made.title'),
        on: {
          close: (event) => {
            event.target.remove();
            sheet = null;
          },
          click: (event) => event.target === sheet && close(),
        },
      },
      h(
        'div',
        { class: 'sheet-inner' },
        h(
          'div',
          { class: 'sheet-head' },
          h('h2', {}, t('made.title')),
          h('button', { type: 'button', class: 'button bare', 'aria-label': t('dismiss'), on: { click: close } }, icon('close')),
        ),
        content(entry, passage),
      ),
    );
    document.body.append(sheet);
    sheet.showModal();
    if (passage) reveal(sheet, passage);
  }

  function reveal(within, n) {
    const summary = within.querySelector(`[data-n="${n}"] summary`);
    summary?.focus();
    summary?.scrollIntoView({ block: 'nearest' });
  }

  function running(entry) {
    if (!picked) fill(body, h('p', { class: 'soft spinning' }, t(entry.text ? 'made.running' : 'made.searching')));
  }

  return {
    node: aside,
    show,
    running,
    /** The words on the button below an answer. */
    chip: ({ sources = [], made }) =>
      [
        t('made.chip', { count: sources.length }),
        made?.first_token_ms === undefined ? null : t('made.chip.first', { time: seconds(made.first_token_ms) }),
      ]
        .filter(Boolean)
        .join(' · '),
    leave: () => {
      wide.removeEventListener('change', close);
      close();
    },
  };
}

function nothing() {
  return h('div', { class: 'blank small' }, h('p', {}, t('made.empty')));
}

function content({ sources = [], made = {}, end, error, text: said = '' }, passage) {
  const cited = citedIn(said);
  const { usage = {}, model, failovers = [] } = made;
  const fact = (name, value, hint) =>
    value === null ? null : h('div', { class: 'fact' }, h('dt', {}, name), h('dd', { title: hint }, value));
  const tokens =
    usage.input_tokens === undefined
      ? null
      : t('made.tokens.value', { input: number(usage.input_tokens), output: number(usage.output_tokens) });
  return h(
    'div',
    {},
    end && end !== 'completed'
      ? h('p', { class: 'remark bad' }, icon('alert'), h('span', {}, t(`end.${end}`), error ? ` (${error.code})` : ''))
      : null,
    failovers.length
      ? h(
          'p',
          { class: 'remark' },
          icon('alert'),
          h('span', {}, t('made.failovers', { list: failovers.map((one) => `${one.model} (${one.error})`).join(', ') })),
        )
      : null,
    h(
      'dl',
      { class: 'facts' },
      fact(t('made.first'), made.first_token_ms === undefined ? t('made.none') : seconds(made.first_token_ms)),
      fact(t('made.total'), made.total_ms === undefined ? null : seconds(made.total_ms)),
      fact(t('made.model'), model || t('made.none')),
      fact(t(usage.estimated ? 'made.tokens.estimated' : 'made.tokens'), tokens),
      fact(t('made.cost'), made.cost_microusd === undefined ? t('made.noprice') : dollars(made.cost_microusd)),
    ),
    h('h3', {}, t('made.passages', { count: sources.length })),
    sources.length === 0
      ? h('p', { class: 'soft' }, t('made.passages.none'), ' ', h('a', { href: '#/teach' }, t('made.passages.teach')))
      : null,
    h(
      'ol',
      { class: 'passages' },
      sources.map((one) => shown(one, { cited: cited.has(one.n), open: passage ? one.n === passage : sources.length <= 2 || one.n === 1 })),
    ),
  );
}

/** A passage by its page's title; an owner also wants to know which of the files it is. */
function shown(one, { cited, open }) {
  const { n, source, text } = one;
  const address = addressOf(one);
  const own = isOwn(one);
  const path = (own ? [one.heading] : pathOf(one)).filter(Boolean).join(' › ');
  const links = own
    ? null
    : h(
        'p',
        { class: 'passage-link' },
        address ? h('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, t('made.open')) : null,
        h('a', { href: documentAddress(source) }, t('made.learned')),
      );
  return h(
    'li',
    { class: cited ? 'passage' : 'passage uncited', data: { n } },
    h(
      'details',
      { open },
      h(
        'summary',
        {},
        h('span', { class: 'passage-number' }, String(n)),
        h(
          'span',
          { class: 'passage-name' },
          h('span', { class: 'passage-source', dir: 'auto' }, own ? t('made.own') : titleOf(one)),
          path ? h('span', { class: 'passage-heading', dir: 'auto' }, path) : null,
          own || address ? null : h('span', { class: 'passage-heading', dir: 'auto' }, source),
        ),
        cited ? null : h('span', { class: 'badge' }, t('made.uncited')),
      ),
      h('p', { class: 'passage-text', dir: 'auto' }, text),
      links,
    ),
  );
}
