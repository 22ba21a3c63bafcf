// Teaching the assistant: files and web sites come in, what was learned stands below, and each document opens to what
// the assistant knows of it.

import { fill, h } from '../dom.js';
import { t } from '../texts.js';
import { documentView } from './teach-document.js';
import { fileIntake } from './teach-files.js';
import { shelf } from './teach-shelf.js';
import { siteIntake } from './teach-sites.js';

export function teach(studio, [source]) {
  const learned = shelf(studio);
  const files = fileIntake(studio, () => learned.refresh());
  const sites = siteIntake(studio, () => learned.refresh());
  const next = h('p', { class: 'next-step' });
  learned.onCount = (count) =>
    fill(next, count ? [t('teach.next'), ' ', h('a', { href: '#/try' }, t('teach.next.action'))] : null);
  const main = h(
    'div',
    { class: 'page' },
    h('h1', { tabindex: '-1' }, t('teach.title')),
    h('p', { class: 'lede' }, t('teach.lede')),
    h('div', { class: 'intakes' }, files.node, sites.node),
    learned.node,
    next,
  );
  learned.onAgain = (site, more) => sites.again(site, more);
  learned.refresh();

  // What comes in goes on coming while a document is looked at.
  const node = h('div', { class: 'teach' }, main);
  let shown = null;
  let place = 0;

  function update([wanted], first = false) {
    const scroller = node.parentElement;
    if (!shown && wanted) place = scroller?.scrollTop ?? 0;
    const before = shown?.source;
    shown?.view.leave();
    shown = wanted ? { source: wanted, view: documentView(studio, wanted, { forget: learned.forget }) } : null;
    main.hidden = Boolean(shown);
    fill(node, main, shown?.view.node);
    if (scroller) scroller.scrollTop = shown ? 0 : place;
    if (first) return;
    if (shown) shown.view.focus();
    else learned.focus(before);
  }

  update([source], true);
  return {
    node,
    update,
    busy: () => files.busy(),
    leave: () => {
      files.leave();
      sites.leave();
      learned.leave();
      shown?.view.leave();
    },
  };
}
