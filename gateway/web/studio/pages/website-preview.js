// The launcher and the first words as visitors will see them, drawn from the draft.

import { setAccent } from '../../ui/accent.js';
import { h, icon } from '../dom.js';
import { t } from '../texts.js';

export function preview({ draft }) {
  const name = h('strong', { dir: 'auto' });
  const greeting = h('p', { class: 'preview-greeting', dir: 'auto' });
  const launcher = h(
    'button',
    { type: 'button', class: 'preview-launcher', 'aria-label': t('preview.launcher'), 'aria-expanded': 'true' },
    icon('chat'),
  );
  const panel = h(
    'div',
    { class: 'preview-panel' },
    h('div', { class: 'preview-head' }, name, icon('close')),
    h('div', { class: 'preview-body' }, greeting),
    h('div', { class: 'preview-composer' }, h('span', {}, t('preview.composer')), icon('send')),
  );
  launcher.addEventListener('click', () => {
    panel.hidden = !panel.hidden;
    launcher.setAttribute('aria-expanded', String(!panel.hidden));
  });
  const stage = h(
    'div',
    { class: 'preview-stage' },
    h('div', { class: 'preview-page', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'), h('i'), h('i')),
    panel,
    launcher,
  );
  const node = h('figure', { class: 'preview' }, h('figcaption', {}, t('preview.title')), stage);

  function draw() {
    setAccent(stage, draft.get('widget.color') || '#a3411f');
    stage.dataset.side = draft.get('widget.side') || 'right';
    name.textContent = draft.get('assistant.name') || t('setting.assistant.name');
    greeting.textContent = draft.get('widget.greeting') || t('preview.greeting');
  }
  return { node, draw };
}
