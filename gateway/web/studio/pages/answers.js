// What the assistant could not answer, and what the team has typed for it to answer with.

import { fill, h } from '../dom.js';
import { t } from '../texts.js';
import { ownAnswers } from './answers-own.js';
import { questions } from './answers-questions.js';

const PARTS = { questions, own: ownAnswers };

export function answers(studio, [name]) {
  const body = h('div', { class: 'part' });
  const links = Object.keys(PARTS).map((part) =>
    h('li', {}, h('a', { href: part === 'questions' ? '#/answers' : `#/answers/${part}`, data: { part } }, t(`answers.${part}`))),
  );
  const node = h(
    'div',
    { class: 'page answers' },
    h('h1', { tabindex: '-1' }, t('answers.title')),
    h('p', { class: 'lede' }, t('answers.lede')),
    h('nav', { class: 'parts', 'aria-label': t('answers.title') }, h('ul', {}, links)),
    body,
  );
  let open = null;

  function update([wanted]) {
    const part = Object.hasOwn(PARTS, wanted ?? '') ? wanted : 'questions';
    open?.leave();
    open = PARTS[part](studio);
    for (const link of node.querySelectorAll('.parts a')) {
      if (link.dataset.part === part) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    fill(body, open.node);
  }

  update([name]);
  return { node, update, leave: () => open.leave() };
}
