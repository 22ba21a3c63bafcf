// Builds the studio's DOM out of the shared builder: elements, icons, and what every page needs of them.
// Invariant: text only ever becomes text nodes; nothing here parses HTML.

import { h as element, icon as shared } from '../ui/dom.js';

/** An element. Beside attributes: `on` (listeners), `data` (dataset) and `value` (what a control holds). */
export function h(tag, { on = {}, data = {}, value, ...attributes } = {}, ...children) {
  const listeners = Object.entries(on).map(([event, listener]) => [`on${event}`, listener]);
  const names = Object.entries(data).map(([name, text]) => [`data-${name}`, text]);
  const node = element(tag, { ...attributes, ...Object.fromEntries([...listeners, ...names]) }, ...children);
  if (value !== undefined) node.value = value;
  return node;
}

/** Puts other children in the place of those a node has. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// What the studio needs beyond the shared ones, on the same grid of 24.
const ICONS = {
  teach: 'M4 5.5A2.5 2.5 0 0 1 6.5 3H20v15H6.5A2.5 2.5 0 0 0 4 20.5zM4 20.5A2.5 2.5 0 0 0 6.5 21H20v-3M8.5 7.5h7M8.5 11h5',
  try: 'M4 5h16v11H11l-5 4v-4H4zM8 9h8M8 12h5',
  assistant: 'M5 20l1-4.5L16.5 5a2 2 0 0 1 3 3L9 18.5zM14.5 7l3 3M12 20h8',
  answers: 'M4 4h16v12h-7l-4.5 4v-4H4zM9.8 8.2a2.2 2.2 0 1 1 3.2 1.9c-.7.4-1 .8-1 1.4M12 13.6v.01',
  website: 'M3 5h18v14H3zM3 9.5h18M6 7.2h.01M8.5 7.2h.01M13 15.5h5',
  conversations: 'M3 4h12v8H8l-3 2.5V12H3zM9 15v1.5h7l3 2.5v-2.5h2v-8h-3',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 15.5h6',
  globe: 'M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18M3 12h18M12 3c3 3 3.5 6 3.5 9s-.5 6-3.5 9c-3-3-3.5-6-3.5-9s.5-6 3.5-9',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  alert: 'M12 4l9 16H3zM12 10v4.5M12 17.2h.01',
  back: 'M15 5l-7 7 7 7',
  next: 'M9 5l7 7-7 7',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  person: 'M12 4a4 4 0 1 0 0 8a4 4 0 1 0 0-8M4.5 20.5c.8-4 3.8-6 7.5-6s6.7 2 7.5 6',
  upload: 'M12 16V5M7 9.5L12 4.5l5 5M5 19.5h14',
  leave: 'M14 4h6v16h-6M10 8l-4 4 4 4M6 12h9',
  download: 'M12 4v11M7 10.5l5 5l5-5M5 19.5h14',
  again: 'M19 8a8 8 0 1 0 1 5M20 4v5h-5',
};

/** A drawing beside a label; it says nothing by itself. */
export function icon(name) {
  if (!ICONS[name]) return shared(name);
  const node = shared('plus');
  const path = node.querySelector('path');
  path.setAttribute('d', ICONS[name]);
  node.replaceChildren(path);
  node.setAttribute('class', `icon icon-${name}`);
  return node;
}

/** A button with a label, and a drawing before it where one is named. */
export function button(label, { icon: drawing, kind = '', ...rest } = {}) {
  const properties = { type: 'button', ...rest, class: `button ${kind}`.trim() };
  return h('button', properties, drawing ? icon(drawing) : null, h('span', {}, label));
}

let counter = 0;

/** A name that is this page's only. */
export function unique(stem) {
  counter += 1;
  return `${stem}-${counter}`;
}

/** A labelled control with its hint and a place for what is wrong with it. */
export function field(label, control, { hint, hidden = false } = {}) {
  const id = control.id || unique('field');
  control.id = id;
  const described = [];
  const parts = [h('label', { for: id, class: hidden ? 'unseen' : 'ctl-label' }, label)];
  if (hint) {
    described.push(`${id}-hint`);
    parts.push(h('p', { class: 'hint', id: `${id}-hint` }, hint));
  }
  described.push(`${id}-wrong`);
  const wrong = h('p', { class: 'wrong', id: `${id}-wrong` });
  control.setAttribute('aria-describedby', described.join(' '));
  const node = h('div', { class: 'ctl' }, ...parts, control, wrong);
  node.control = control;
  node.complain = (text) => {
    wrong.textContent = text ?? '';
    if (text) control.setAttribute('aria-invalid', 'true');
    else control.removeAttribute('aria-invalid');
  };
  return node;
}
