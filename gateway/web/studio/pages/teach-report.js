// How reading a site went, in plain words: which bounds it met and what to do about each, what was left out of its
// pages, which pages were skipped.

import { button, h, icon } from '../dom.js';
import { leftOut } from '../left-out.js';
import { t } from '../texts.js';

/** Bounds that the owner may raise, and what a node takes at most. */
const RAISED = { pages: 2000, depth: 50, queries: 2000 };
/** So few skipped pages are shown at once. */
const SHOWN = 5;

/**
 * The report of a job. `raise(limits)` reads the site again within other bounds; without it nothing is offered.
 * Nothing where there is nothing to tell.
 */
export function report(job, { raise } = {}) {
  const parts = [limits(job, raise), parted(job), skipped(job)].filter(Boolean);
  return parts.length ? h('div', { class: 'report' }, parts) : null;
}

/** What there is to report, in a few words; empty where there is nothing. */
export function gist({ limits: hits = [], left_out_total: left = 0, pages_skipped_total: skippedPages = 0 }) {
  return [
    hits.length ? t('report.limits', { count: hits.length }) : '',
    skippedPages ? t('site.skipped', { count: skippedPages }) : '',
    left ? t('report.left', { count: left }) : '',
  ]
    .filter(Boolean)
    .join(' · ');
}

function limits({ limits: hits = [] }, raise) {
  return hits.length ? h('ul', { class: 'limits', 'aria-label': t('report.limits.label') }, hits.map((hit) => limit(hit, raise))) : null;
}

function limit({ kind, most, limit: words, passed_over: count, example }, raise) {
  const raised = raiseOf(kind, most, count);
  const full = RAISED[kind] && !raised ? '.full' : '';
  return h(
    'li',
    { class: 'remark' },
    icon('alert'),
    h(
      'div',
      { class: 'limit' },
      h('p', { class: 'limit-what' }, t(`limit.${kind}`, { count, most }, t('limit.other', { count, words }))),
      h('p', { class: 'hint' }, t(`limit.${kind}.do${full}`, { most }, '')),
      example ? h('p', { class: 'hint' }, t('limit.example'), ' ', h('span', { dir: 'ltr', class: 'address' }, example)) : null,
      raised && raise
        ? button(t(`limit.${kind}.raise`, { count: raised }), { kind: 'small', icon: 'again', on: { click: () => raise({ [kind]: raised }) } })
        : null,
    ),
  );
}

/** Up to where a bound may be raised so that what was passed over fits; nothing where it is raised already. */
function raiseOf(kind, most, count) {
  const max = RAISED[kind];
  if (!max || !(most < max)) return null;
  return Math.min(kind === 'depth' ? most + 5 : Math.max(2 * most, Math.ceil((most + count) / 100) * 100), max);
}

function parted({ left_out: rows = [], left_out_total: total = 0 }) {
  if (!total) return null;
  const named = rows.reduce((sum, { parts }) => sum + parts, 0);
  return h(
    'details',
    { class: 'more' },
    h('summary', {}, t('report.left', { count: total })),
    h(
      'div',
      { class: 'more-inner' },
      h('p', { class: 'hint' }, t('left.about')),
      leftOut(rows),
      total > named ? h('p', { class: 'hint' }, t('left.more', { count: total - named })) : null,
      h('p', { class: 'hint' }, t('left.missed'), ' ', h('a', { href: '#/answers' }, t('left.missed.action'))),
    ),
  );
}

function skipped({ pages_skipped: pages = [], pages_skipped_total: total = pages.length }) {
  if (!pages.length) return null;
  const line = ({ url, reason }) =>
    h(
      'li',
      { class: 'outcome skipped' },
      icon('alert'),
      h('span', { class: 'outcome-name', dir: 'ltr' }, url),
      h('span', { class: 'outcome-words' }, reason),
    );
  return h(
    'details',
    { class: 'more', open: total <= SHOWN },
    h('summary', {}, t('site.skipped', { count: total })),
    h('ul', { class: 'outcomes' }, pages.map(line)),
    total > pages.length ? h('p', { class: 'hint' }, t('site.skipped.more', { count: total - pages.length })) : null,
  );
}
