// Who the assistant is: its name, how it sounds, what it is told, how it greets.

import { h, icon, unique } from '../dom.js';
import { bound, saveBar } from '../settings.js';
import { t } from '../texts.js';

const NAME_CHARS_MAX = 200;
const INSTRUCTIONS_BYTES_MAX = 24 * 1024;
const GREETING_BYTES_MAX = 1024;

export function assistant(studio) {
  const line = (value) =>
    value.trim() === ''
      ? t('assistant.required')
      : [...value].length > NAME_CHARS_MAX
        ? t('assistant.long', { count: NAME_CHARS_MAX })
        : undefined;
  const within = (most) => (text) => {
    const over = new TextEncoder().encode(text).length - most;
    return over > 0 ? t('assistant.over', { count: over }) : undefined;
  };
  const tones = h(
    'datalist',
    { id: unique('tones') },
    t('assistant.tones')
      .split('|')
      .map((value) => h('option', { value })),
  );

  const fields = [];
  const add = (path, control, options) => {
    const node = Object.assign(bound(studio, path, control, options), { path });
    fields.push(node);
    return node;
  };
  const identity = [
    add('assistant.name', h('input', { type: 'text', autocomplete: 'off' }), {
      label: t('setting.assistant.name'),
      hint: t('assistant.name.hint'),
      check: line,
    }),
    add('assistant.tone', h('input', { type: 'text', autocomplete: 'off', list: tones.id }), {
      label: t('setting.assistant.tone'),
      hint: t('assistant.tone.hint'),
      check: line,
    }),
    tones,
  ];
  const instructions = add('assistant.instructions', h('textarea', { rows: 10, class: 'tall' }), {
    label: t('setting.assistant.instructions'),
    hint: t('assistant.instructions.hint'),
    check: within(INSTRUCTIONS_BYTES_MAX),
  });
  const greeting = studio.draft.keepsLook
    ? add('widget.greeting', h('textarea', { rows: 2 }), {
        label: t('setting.widget.greeting'),
        hint: t('assistant.greeting.hint'),
        check: within(GREETING_BYTES_MAX),
      })
    : h('p', { class: 'remark' }, icon('alert'), h('span', {}, t('look.unsupported')));

  const bar = saveBar(studio, fields);
  const node = h(
    'div',
    { class: 'page' },
    h('h1', { tabindex: '-1' }, t('assistant.title')),
    h('p', { class: 'lede' }, t('assistant.lede')),
    h('div', { class: 'card form' }, identity, greeting, instructions),
    h('p', { class: 'next-step' }, t('assistant.next'), ' ', h('a', { href: '#/try' }, t('assistant.next.action'))),
    bar.node,
  );
  return { node, leave: bar.leave };
}
