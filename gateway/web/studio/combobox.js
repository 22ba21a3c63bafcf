// A field with a list below it that is searched while one types; what is typed may also be none of the list.
// Invariant: the keyboard stays in the field, and a screen reader is told which row is meant.

import { fill, h, unique } from './dom.js';

/**
 * Puts a list below a field that is in its place. `find(text)` gives the rows for what is typed, `show(row)` what
 * stands in one, `valueOf(row)` what it puts into the field, which then fires `input` and `change` as if it was typed.
 */
export function combobox(input, { find, show, valueOf, label }) {
  const id = unique('options');
  const list = h('ul', { id, role: 'listbox', class: 'options', 'aria-label': label, hidden: true });
  const attributes = { role: 'combobox', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', 'aria-autocomplete': 'list', 'aria-expanded': 'false', 'aria-controls': id };
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  const listeners = { input: () => taking || open(input.value), click: () => list.hidden && open(''), keydown: keys, blur: close };
  for (const [type, act] of Object.entries(listeners)) input.addEventListener(type, act);
  const box = h('div', { class: 'combobox' });
  input.replaceWith(box);
  box.append(input, list);
  let rows = [];
  let at = -1;
  let taking = false;

  function open(text) {
    rows = find(text);
    fill(
      list,
      rows.map((row, i) =>
        h(
          'li',
          {
            id: `${id}-${i}`,
            role: 'option',
            'aria-selected': String(valueOf(row) === input.value),
            on: {
              // Before the field loses the keyboard to it.
              pointerdown: (event) => event.preventDefault(),
              click: () => take(i),
            },
          },
          show(row),
        ),
      ),
    );
    list.hidden = rows.length === 0;
    input.setAttribute('aria-expanded', String(!list.hidden));
    const chosen = rows.findIndex((row) => valueOf(row) === input.value);
    // Who searches means the first that is found; who only looks, the one that stands there.
    mark(text ? Math.min(0, rows.length - 1) : chosen);
    if (!text && chosen < 0) list.scrollTop = 0;
  }

  function close() {
    list.hidden = true;
    input.setAttribute('aria-expanded', 'false');
    mark(-1);
  }

  function mark(to) {
    list.querySelector('.marked')?.classList.remove('marked');
    at = to;
    const option = list.children[at];
    if (!option) return input.removeAttribute('aria-activedescendant');
    option.classList.add('marked');
    input.setAttribute('aria-activedescendant', option.id);
    option.scrollIntoView({ block: 'nearest' });
  }

  function take(i) {
    input.value = valueOf(rows[i]);
    close();
    taking = true;
    for (const type of ['input', 'change']) input.dispatchEvent(new Event(type, { bubbles: true }));
    taking = false;
  }

  function keys(event) {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (step) {
      event.preventDefault();
      if (list.hidden) return open('');
      return mark(Math.abs(step) === 1 ? (at + step + rows.length) % rows.length : Math.max(0, Math.min(rows.length - 1, at + step)));
    }
    if (list.hidden) return;
    if (event.key === 'Enter' && at >= 0) {
      event.preventDefault();
      take(at);
    } else if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  }
}
