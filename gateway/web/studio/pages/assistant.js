// Who the assistant is: its name, how it sounds, what it is told, how it greets; and for whom it speaks.

import { combobox } from '../combobox.js';
import { h, icon, unique } from '../dom.js';
import { bound, saveBar } from '../settings.js';
import { t } from '../texts.js';
import { clockOf, found } from '../zones.js';

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

  const name = add('business.name', h('input', { type: 'text', autocomplete: 'organization' }), {
    label: t('setting.business.name'),
    hint: t('business.name.hint'),
  });
  const zone = add('business.time_zone', h('input', { type: 'text' }), {
    label: t('setting.business.time_zone'),
    hint: t('business.zone.hint'),
  });
  const clock = zoneSearch(zone.control);

  const bar = saveBar(studio, fields, clock.draw);
  const heading = unique('business');
  const node = h(
    'div',
    { class: 'page' },
    h('h1', { tabindex: '-1' }, t('assistant.title')),
    h('p', { class: 'lede' }, t('assistant.lede')),
    h('div', { class: 'card form' }, identity, greeting, instructions),
    h(
      'section',
      { class: 'card form', 'aria-labelledby': heading },
      h('div', {}, h('h2', { id: heading }, t('assistant.business')), h('p', { class: 'hint' }, t('assistant.business.hint'))),
      name,
      h('div', { class: 'zone' }, zone, clock.node),
    ),
    h('p', { class: 'next-step' }, t('assistant.next'), ' ', h('a', { href: '#/try' }, t('assistant.next.action'))),
    bar.node,
  );
  return { node, leave: bar.leave };
}

/** Time zones below the field, and what time it is in the one that stands there. */
function zoneSearch(input) {
  const node = h('p', { class: 'hint zone-now', 'aria-live': 'polite' });
  combobox(input, {
    label: t('business.zone.list'),
    find: found,
    valueOf: ({ zone }) => zone,
    show: ({ zone, city, region, own }) => {
      const clock = clockOf(zone);
      return [
        h('span', { class: 'option-name' }, h('span', {}, city), h('span', { class: 'option-more' }, [region, own].filter(Boolean).join(', '))),
        h('span', { class: 'option-clock' }, clock ? `${clock.time}  ${clock.offset}` : ''),
      ];
    },
  });
  function draw() {
    const clock = clockOf(input.value);
    node.textContent = clock ? t('business.zone.now', clock) : input.value.trim() ? t('business.zone.none') : '';
  }
  input.addEventListener('input', draw);
  draw();
  return { node, draw };
}
