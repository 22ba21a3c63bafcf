// How the widget looks: its colour, its side, its language.

import { fill, h, unique } from '../dom.js';
import { t } from '../texts.js';

/** Inks that carry white text and differ for people who see few colours. */
const SWATCHES = ['#a3411f', '#0b6b57', '#0f5fd6', '#7a3e9d', '#a3195b', '#2b2622'];
const LANGUAGES = ['', 'en', 'es', 'de'];

export function lookFields({ draft }) {
  const any = h('input', { type: 'color', id: unique('colour') });
  any.addEventListener('input', () => draft.set('widget.color', any.value));
  const swatchName = unique('swatch');
  const swatches = h('div', { class: 'swatches' });
  const sideName = unique('side');
  const sides = h('div', { class: 'segments' });
  const language = h(
    'select',
    { id: unique('language') },
    LANGUAGES.map((code) => h('option', { value: code }, t(`language.${code || 'auto'}`))),
  );
  language.addEventListener('change', () => draft.set('widget.language', language.value));

  const choices = (holder, name, path, values, dress) =>
    fill(
      holder,
      values.map((value) => {
        const input = h('input', { type: 'radio', name, value, class: 'unseen', on: { change: () => draft.set(path, value) } });
        return h('label', {}, input, ...dress(value));
      }),
    );
  choices(swatches, swatchName, 'widget.color', SWATCHES, (value) => {
    const dot = h('span', { class: 'swatch' });
    dot.style.background = value;
    return [dot, h('span', { class: 'unseen' }, t('look.swatch', { color: value }))];
  });
  choices(sides, sideName, 'widget.side', ['left', 'right'], (value) => [
    h('span', { class: 'segment' }, t(`look.side.${value}`)),
  ]);

  function draw() {
    const color = (draft.get('widget.color') || SWATCHES[0]).toLowerCase();
    if (/^#[0-9a-f]{6}$/.test(color)) any.value = color;
    for (const input of swatches.querySelectorAll('input')) input.checked = input.value === color;
    for (const input of sides.querySelectorAll('input')) input.checked = input.value === (draft.get('widget.side') || 'right');
    language.value = draft.get('widget.language') ?? '';
  }

  const node = h(
    'div',
    { class: 'form' },
    h(
      'fieldset',
      { class: 'ctl' },
      h('legend', { class: 'ctl-label' }, t('setting.widget.color')),
      h(
        'div',
        { class: 'colour-row' },
        swatches,
        h('label', { class: 'any-colour', for: any.id }, any, h('span', {}, t('look.any'))),
      ),
    ),
    h('fieldset', { class: 'ctl' }, h('legend', { class: 'ctl-label' }, t('setting.widget.side')), sides),
    h(
      'div',
      { class: 'ctl' },
      h('label', { class: 'ctl-label', for: language.id }, t('setting.widget.language')),
      h('p', { class: 'hint' }, t('look.language.hint')),
      language,
    ),
  );
  return { node, draw };
}
