// What a reply is from: the pages by their titles, each passage one click away.
// Invariant: titles, headings and passages are text; a title is a link only where its page has an address.

import { h, icon } from './dom.js';
import { hostOf, pages, pathOf } from './source.js';
import { whole } from './whole.js';

let counter = 0;

export class Sources {
  #words;
  #all;
  #from = null;

  /** `all` shows also what the text does not name, for whose documents they are. */
  constructor({ words, all = false }) {
    this.#words = words;
    this.#all = all;
    this.element = h('div', { class: 'sources', hidden: true });
    this.element.addEventListener('keydown', (event) => this.#escape(event));
  }

  /** Shows the passages that are `cited`, a set of their numbers. */
  show(passages, cited) {
    const words = this.#words;
    const named = passages.filter(({ n }) => cited.has(n));
    const others = this.#all ? passages.filter(({ n }) => !cited.has(n)) : [];
    this.element.hidden = !named.length && !others.length;
    this.element.replaceChildren(
      ...(named.length ? [h('p', { class: 'label' }, words('sources')), this.#list(named)] : []),
      ...(others.length
        ? [h('details', { class: 'unnamed' }, h('summary', {}, h('span', { class: 'label' }, words(named.length ? 'uncited' : 'unnamed', { n: others.length })), icon('chevron')), this.#list(others))]
        : []));
  }

  /** Shows a passage to who came from its number in the text, and has the keyboard there. */
  open(n, from) {
    const shown = this.element.querySelector(`blockquote[data-n="${n}"]`)?.closest('.source');
    if (!shown) return;
    const folded = shown.closest('.unnamed');
    if (folded) folded.open = true;
    const button = shown.querySelector('.show');
    this.#from = { button, from };
    if (button.getAttribute('aria-expanded') !== 'true') button.click();
    button.focus({ preventScroll: true });
    shown.scrollIntoView({ block: 'nearest' });
  }

  #list(passages) {
    return h('ul', { class: 'pages', role: 'list' }, pages(passages).map((page) => this.#page(page)));
  }

  #page({ title: name, address, own, passages }) {
    const words = this.#words;
    const id = `passages-${(counter += 1)}`;
    const title = own ? words('ownAnswer') : name || words('untitledSource');
    const inner = h('div', { class: 'quotes', id, hidden: true }, passages.map((passage) => this.#passage(passage, { own, alone: passages.length === 1 })));
    const toggle = () => {
      inner.hidden = !inner.hidden;
      button.setAttribute('aria-expanded', String(!inner.hidden));
    };
    const button = h('button', { type: 'button', class: 'show', 'aria-expanded': 'false', 'aria-controls': id, 'aria-label': words('passage', { title }), title: words('passage', { title }), onclick: toggle }, icon('chevron'));
    const label = address
      ? h('a', { class: 'title', dir: 'auto', href: address, target: '_blank', rel: 'noopener noreferrer nofollow', title: hostOf(address) }, title)
      // Without a page to go to, the title is where one clicks; the keyboard has the button.
      : h('span', { class: 'title', dir: 'auto', onclick: toggle }, title);
    return h('li', { class: address ? 'source' : 'source plain' },
      h('div', { class: 'source-row' },
        h('span', { class: 'numbers' }, passages.map(({ n }, i) => [i ? ' ' : '', h('span', { class: 'number' }, String(n))])),
        h('span', { class: 'called' }, label, address ? h('span', { class: 'host', dir: 'ltr' }, hostOf(address)) : ''),
        button),
      inner);
  }

  #passage(passage, { own, alone }) {
    // Of an own answer the heading is the question, and there is nothing above it.
    const path = own ? [passage.heading].filter(Boolean) : pathOf(passage);
    return h('div', { class: 'quoted' },
      path.length || !alone
        ? h('p', { class: 'path', dir: 'auto' }, alone ? '' : h('span', { class: 'number' }, String(passage.n)), ' ', path.join(' › '))
        : '',
      h('blockquote', { 'data-n': passage.n, dir: 'auto' }, whole(String(passage.text ?? ''))));
  }

  /** Escape puts a passage away, and leads back to the place in the text it was opened from. */
  #escape(event) {
    if (event.key !== 'Escape' || event.isComposing) return;
    const button = event.target.closest('.source')?.querySelector('.show');
    if (button?.getAttribute('aria-expanded') !== 'true') return;
    event.stopPropagation();
    button.click();
    const { from } = this.#from?.button === button ? this.#from : {};
    this.#from = null;
    (from?.isConnected ? from : button).focus();
  }
}
