// Teaching the assistant: files and web sites come in, what was learned stands below and can be forgotten.

import { fill, h } from '../dom.js';
import { t } from '../texts.js';
import { fileIntake } from './teach-files.js';
import { shelf } from './teach-shelf.js';
import { siteIntake } from './teach-sites.js';

export function teach(studio) {
  const learned = shelf(studio);
  const files = fileIntake(studio, () => learned.refresh());
  const sites = siteIntake(studio, () => learned.refresh());
  const next = h('p', { class: 'next-step' });
  learned.onCount = (count) =>
    fill(next, count ? [t('teach.next'), ' ', h('a', { href: '#/try' }, t('teach.next.action'))] : null);
  const node = h(
    'div',
    { class: 'page' },
    h('h1', { tabindex: '-1' }, t('teach.title')),
    h('p', { class: 'lede' }, t('teach.lede')),
    h('div', { class: 'intakes' }, files.node, sites.node),
    learned.node,
    next,
  );
  learned.onAgain = (site) => sites.again(site);
  learned.refresh();
  return {
    node,
    busy: () => files.busy(),
    leave: () => {
      files.leave();
      sites.leave();
      learned.leave();
    },
  };
}
