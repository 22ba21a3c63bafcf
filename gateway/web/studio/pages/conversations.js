// Conversations as they happen: the list beside the one that is open.

import { fill, h, icon } from '../dom.js';
import { t } from '../texts.js';
import { conversationList } from './conversations-list.js';
import { conversationDesk } from './conversations-desk.js';

export function conversations(studio, [id, seq]) {
  const list = conversationList(studio);
  const desk = h('div', { class: 'desk' });
  const node = h('div', { class: 'page split' }, list.node, desk);
  let open = null;

  function update([wanted, at], first = false) {
    open?.leave();
    open = wanted ? conversationDesk(studio, wanted, { at: Number(at) || 0, onChange: list.refresh }) : null;
    node.classList.toggle('detail', Boolean(wanted));
    list.select(wanted);
    fill(
      desk,
      open?.node ??
        h(
          'div',
          { class: 'blank' },
          icon('conversations'),
          h('p', { class: 'blank-title' }, t('desk.none')),
          h('p', {}, t('desk.none.text')),
        ),
    );
    if (first) return;
    if (open) open.focus();
    else list.focus();
  }

  update([id, seq], true);
  return {
    node,
    update,
    leave: () => {
      list.leave();
      open?.leave();
    },
  };
}
