// The chat on the owner's site: which pages may open it, how it looks, and the one line that puts it there.

import { button, field, fill, h, icon, unique } from '../dom.js';
import { saveBar } from '../settings.js';
import { t } from '../texts.js';
import { lookFields } from './website-look.js';
import { preview } from './website-preview.js';

const ORIGINS_MAX = 64;

export function website(studio) {
  const { draft } = studio;
  const sites = originList(studio);
  const look = draft.keepsLook ? lookFields(studio) : null;
  const shown = preview(studio);
  const snippet = scriptTag(studio);
  const redraw = () => {
    sites.draw();
    look?.draw();
    shown.draw();
    snippet.draw();
  };
  const bar = saveBar(studio, [], redraw);
  draft.addEventListener('change', redraw);
  redraw();

  const node = h(
    'div',
    { class: 'page' },
    h('h1', { tabindex: '-1' }, t('website.title')),
    h('p', { class: 'lede' }, t('website.lede')),
    h(
      'div',
      { class: 'website' },
      h(
        'div',
        { class: 'website-steps' },
        step(1, t('website.step.allow'), sites.node),
        step(
          2,
          t('website.step.look'),
          look?.node ?? h('p', { class: 'remark' }, icon('alert'), h('span', {}, t('look.unsupported'))),
        ),
        step(3, t('website.step.tag'), snippet.node),
      ),
      shown.node,
    ),
    bar.node,
  );
  return {
    node,
    leave: () => {
      draft.removeEventListener('change', redraw);
      bar.leave();
    },
  };
}

function step(number, title, body) {
  const id = unique('step');
  return h(
    'section',
    { class: 'card step', 'aria-labelledby': id },
    h('h2', { id }, h('span', { class: 'step-number', 'aria-hidden': 'true' }, String(number)), title),
    body,
  );
}

/** Sites that may open the chat. Changes are part of the draft, so that they are saved or discarded with it. */
function originList({ draft }) {
  const input = h('input', {
    type: 'text',
    inputmode: 'url',
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: 'false',
    placeholder: 'https://shop.example',
  });
  const address = field(t('origins.add.label'), input, { hint: t('origins.hint') });
  const add = h('button', { type: 'submit', class: 'button' }, t('origins.add'));
  const list = h('ul', { class: 'origins', 'aria-label': t('setting.allowed_origins') });
  const empty = h('p', { class: 'remark' }, icon('alert'), h('span', {}, t('origins.empty')));
  const form = h(
    'form',
    {
      class: 'inline-form',
      novalidate: true,
      on: {
        submit: (event) => {
          event.preventDefault();
          const origin = originOf(input.value);
          const known = draft.get('allowed_origins') ?? [];
          const wrong = !origin
            ? t('origins.bad')
            : known.includes(origin)
              ? t('origins.known')
              : known.length >= ORIGINS_MAX
                ? t('origins.full', { count: ORIGINS_MAX })
                : null;
          address.complain(wrong);
          if (!wrong) {
            draft.set('allowed_origins', [...known, origin]);
            input.value = '';
          }
          input.focus();
        },
      },
    },
    address,
    add,
  );

  function draw() {
    const origins = draft.get('allowed_origins') ?? [];
    empty.hidden = origins.length > 0;
    list.hidden = origins.length === 0;
    fill(
      list,
      origins.map((origin) =>
        h(
          'li',
          {},
          h('span', { dir: 'ltr' }, origin),
          h(
            'button',
            {
              type: 'button',
              class: 'button bare',
              'aria-label': t('origins.remove', { origin }),
              on: {
                click: () => {
                  draft.set(
                    'allowed_origins',
                    origins.filter((one) => one !== origin),
                  );
                  input.focus();
                },
              },
            },
            icon('close'),
          ),
        ),
      ),
    );
  }
  return { node: h('div', {}, empty, list, form), draw };
}

/** An address as browsers spell its origin. */
function originOf(text) {
  const trimmed = text.trim();
  try {
    const url = new URL(/^[a-z]+:\/\//i.test(trimmed) ? trimmed : `https://${trimmed}`);
    const local = url.hostname === 'localhost' || url.hostname.startsWith('[');
    return /^https?:$/.test(url.protocol) && (local || url.hostname.includes('.')) ? url.origin : null;
  } catch {
    return null;
  }
}

/** The line to put on the site. */
function scriptTag({ draft, api, notice }) {
  const text = `<script src="${draft.tenant.public_url ?? api.origin}/widget.js" data-tenant="${draft.tenant.name.replace(/&/g, '&amp;').replace(/"/g, '&quot;')}" async></script>`;
  const code = h('code', { dir: 'ltr' }, text);
  const warning = h('p', { class: 'remark' }, icon('alert'), h('span', {}, t('tag.unsaved')));
  const copy = button(t('tag.copy'), {
    icon: 'copy',
    kind: 'primary',
    on: {
      click: async () => {
        try {
          await navigator.clipboard.writeText(text);
          notice.tell(t('tag.copied'));
        } catch {
          // Without permission the person can still copy what is selected.
          getSelection().selectAllChildren(code);
          notice.tell(t('tag.select'));
        }
      },
    },
  });
  return {
    node: h(
      'div',
      {},
      h('p', {}, t('tag.text')),
      h('pre', { class: 'snippet', tabindex: '0', 'aria-label': t('tag.label') }, code),
      warning,
      copy,
    ),
    draw: () => (warning.hidden = !draft.dirty),
  };
}
