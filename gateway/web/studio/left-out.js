// What was left out of pages, by why: each reason in plain words, with what it concerns below it.
// Invariant: what comes from pages (names of elements, addresses) is text, and opens only within the studio.

import { h, icon } from './dom.js';
import { number, t } from './texts.js';

/** Of these most is meant to be left out; what may be missed stands first. */
const ORDER = ['outside', 'hidden', 'dialog', 'form', 'other', 'links', 'edge', 'navigation', 'notice', 'repeated'];

/** Rows of one reason together: `{ reason, why, parts, characters, rows }`, what may be missed first. */
export function byReason(rows) {
  const groups = new Map();
  for (const row of rows) {
    const reason = ORDER.includes(row.reason) ? row.reason : 'other';
    // What has no name of its own yet is told by the node's words.
    const key = reason === 'other' ? row.why : reason;
    const group = groups.get(key) ?? { reason, why: row.why, parts: 0, characters: 0, rows: [] };
    group.parts += row.parts;
    group.characters += row.characters;
    group.rows.push(row);
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => ORDER.indexOf(a.reason) - ORDER.indexOf(b.reason) || b.characters - a.characters);
}

/** The groups as a list; `open` are the reasons that are shown unfolded. */
export function leftOut(rows, { open = () => false } = {}) {
  return h('ul', { class: 'left-out' }, byReason(rows).map((group) => h('li', {}, folded(group, open(group)))));
}

function folded({ reason, why, parts, characters, rows }, open) {
  const about = t(`left.${reason}.about`, {}, '');
  return h(
    'details',
    { class: 'fold', open },
    h(
      'summary',
      {},
      icon('next'),
      h('span', { class: 'fold-name' }, reason === 'other' ? why : t(`left.${reason}`)),
      h('span', { class: 'fold-count' }, t('left.amount', { count: parts, characters: number(characters) })),
    ),
    about ? h('p', { class: 'hint' }, about) : null,
    // What is alone and of one page has been said above.
    h('ul', { class: 'sorts' }, rows.map((row) => sort(row, rows.length > 1 || row.pages > 0))),
  );
}

function sort({ what, parts, pages = 0, url, urls, characters }, counted) {
  const known = urls?.length ? urls : [url].filter(Boolean);
  const amount = pages
    ? t('left.places', { count: parts, pages: t('shelf.pages', { count: pages }) })
    : t('left.amount', { count: parts, characters: number(characters) });
  return h(
    'li',
    {},
    h('p', { class: 'sort' }, h('code', { dir: 'ltr' }, what), counted ? h('span', { class: 'sort-count' }, amount) : null),
    known.length
      ? h(
          'p',
          { class: 'sort-pages' },
          known.map((one) => pageLink(one)),
          pages > known.length ? h('span', {}, t('left.pages.more', { count: pages - known.length })) : null,
        )
      : null,
  );
}

/** A page as it was learned, named by its path. */
export function pageLink(url) {
  return h('a', { href: documentAddress(url), dir: 'ltr', title: url }, shortOf(url));
}

/** Where the studio shows a document. */
export function documentAddress(source) {
  return `#/teach/${encodeURIComponent(source)}`;
}

/** An address without what all pages of its site share. */
export function shortOf(url) {
  if (!URL.canParse(url)) return url;
  const { pathname, search } = new URL(url);
  return decoded(pathname + search);
}

function decoded(path) {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}
