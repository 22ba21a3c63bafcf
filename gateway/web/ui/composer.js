// Where a message is written: Enter sends, Shift+Enter breaks the line, Escape stops a reply that runs.

import { composing, h, icon } from './dom.js';
import { kept } from './kept.js';

/** The protocol's bound on one message, in bytes of UTF-8. */
const BYTES_MAX = 16 * 1024;
const drafts = kept('sessionStorage');
let count = 0;

export class Composer {
  #words;
  #draft;
  #on;

  /** `say(text)`, `typing(on)` and `stop()` are called; a draft under `draft` outlives a reload of the page. */
  constructor({ words, say, typing = () => {}, stop = () => {}, draft = null }) {
    this.#words = words;
    this.#on = { say, typing, stop };
    const id = `composer-${++count}`;
    this.input = h('textarea', {
      id, rows: '1', dir: 'auto', autocomplete: 'off', enterkeyhint: 'send', placeholder: words('placeholder'), 'aria-describedby': `${id}-error`,
      oninput: () => this.#changed(), onkeydown: (event) => this.#key(event), onblur: () => typing(false),
    });
    this.stop = h('button', { class: 'round stop', type: 'button', hidden: true, 'aria-label': words('stop'), title: words('stop'), onclick: () => this.#stopped() }, icon('stop'));
    this.send = h('button', { class: 'round send', type: 'submit', 'aria-label': words('send'), title: words('send') }, icon('send'));
    this.error = h('p', { class: 'error', id: `${id}-error`, role: 'alert' });
    this.element = h('form', { class: 'composer', onsubmit: (event) => this.#submit(event) },
      h('label', { class: 'unseen', for: id }, words('write')),
      h('div', { class: 'field' }, this.input, this.stop, this.send), this.error);
    this.drafts(draft);
  }

  /** From now on drafts are kept under this name. */
  drafts(name) {
    this.#draft = name && `tertulia:draft:${name}`;
    this.input.value = (this.#draft && drafts.getItem(this.#draft)) ?? '';
    this.#changed(false);
  }

  /** What is written here has a new name. Nobody notices: the field, its selection and a word being composed stay. */
  renameDraft(name) {
    if (this.#draft) drafts.removeItem(this.#draft);
    this.#draft = name && `tertulia:draft:${name}`;
    if (this.#draft) drafts.setItem(this.#draft, this.input.value);
  }

  /** What could not be said is back in the field, before what was typed since. */
  giveBack(text) {
    this.input.value = [text, this.input.value].filter(Boolean).join('\n');
    this.#changed();
  }

  /** While a reply runs it can be stopped. */
  set running(running) {
    if (this.stop.hidden === !running) return;
    const focused = this.stop.getRootNode().activeElement === this.stop;
    this.stop.hidden = !running;
    // A button that goes must not take the keyboard's place with it.
    if (focused && !running) this.focus();
  }

  /** Whether the keyboard is here. */
  get focused() {
    return this.element.contains(this.element.getRootNode().activeElement);
  }

  set disabled(disabled) {
    this.element.classList.toggle('disabled', disabled);
    this.input.disabled = disabled;
    this.send.disabled = disabled;
  }

  focus() {
    this.input.focus({ preventScroll: true });
  }

  #changed(typed = true) {
    const { value } = this.input;
    this.error.textContent = new TextEncoder().encode(value).length > BYTES_MAX ? this.#words('tooLong') : '';
    this.input.setAttribute('aria-invalid', String(Boolean(this.error.textContent)));
    this.element.classList.toggle('empty', !value.trim());
    this.#grow();
    if (!typed) return;
    this.#on.typing(Boolean(value));
    if (this.#draft) drafts.setItem(this.#draft, value);
  }

  #grow() {
    if (CSS.supports('field-sizing', 'content')) return;
    this.input.style.height = 'auto';
    this.input.style.height = `${this.input.scrollHeight}px`;
  }

  #key(event) {
    if (composing(event)) return;
    if (event.key === 'Escape' && !this.stop.hidden) {
      event.stopPropagation();
      event.preventDefault();
      this.#on.stop();
    }
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.element.requestSubmit();
    }
  }

  #stopped() {
    this.#on.stop();
    this.focus();
  }

  #submit(event) {
    event.preventDefault();
    const text = this.input.value.trim();
    if (!text || this.error.textContent || this.send.disabled) return;
    this.input.value = '';
    this.#changed();
    this.#on.say(text);
    this.focus();
  }
}
