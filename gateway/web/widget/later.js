// The button of a chat that the node has put off, for a time that it has said.

import { h, icon } from '../ui/dom.js';
import { direction, words as wordsFor } from '../ui/texts.js';
import { timeOf } from '../ui/time.js';
import { Host } from './host.js';

/** Shows a button that tells whoever asks when the chat comes. Returns what takes it away. */
export function later(at, error) {
  const words = wordsFor(document.documentElement.lang || undefined);
  console.warn(`Tertulia: the chat comes to this page later, at ${new Date(at).toLocaleTimeString()}: ${error.message} (${error.code}).`);
  const said = h('p', { class: 'comes', role: 'status' });
  const tell = () => { said.textContent = said.textContent ? '' : words('comesAt', { time: timeOf(at, words.locale) }); };
  const dir = document.documentElement.lang ? direction(words.language) : getComputedStyle(document.documentElement).direction;
  const stage = h('aside', { dir, class: 'stage', 'aria-label': words('thread') }, said,
    h('button', { class: 'launcher later', type: 'button', 'aria-label': words('open'), onclick: tell }, icon('chat')));
  const host = new Host(stage, words.language);
  host.place();
  return () => host.element.remove();
}
