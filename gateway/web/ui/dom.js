// Builds elements. Text becomes text nodes and nothing else: there is no way to markup from here.

const SVG = 'http://www.w3.org/2000/svg';

/** `h('button', { class: 'send', type: 'submit', onclick }, 'Send')` */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false || name === 'dir') continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined && child !== false) element.append(child);
  // Last: with `dir="auto"` every child that comes after it has the browser look for the direction anew.
  if (props.dir) element.setAttribute('dir', props.dir);
  return element;
}

/** Stands for a name in a sentence; no name has it. */
const MARK = '\u0000';

/** A sentence with a name in it, which keeps its own direction. `sentence` gives the sentence for a name. */
export function naming(sentence, name) {
  const [before, after = ''] = sentence(MARK).split(MARK);
  return [before, h('bdi', {}, name ?? ''), after];
}

/**
 * Whether a key belongs to an input method: while a word is composed from several keys, Enter takes the word
 * and Escape gives it up. Safari ends the composition before that Enter and marks it by its code alone.
 */
export function composing(event) {
  return event.isComposing || event.keyCode === 229;
}

/** Lines on a grid of 24, drawn with the text's colour. */
const SHAPES = {
  send: ['M12 19V5', 'M5.5 11.5 12 5l6.5 6.5'],
  stop: ['M7.5 7.5h9v9h-9z'],
  plus: ['M12 5v14', 'M5 12h14'],
  history: ['M4 7h16', 'M4 12h16', 'M4 17h10'],
  close: ['M6 6l12 12', 'M18 6 6 18'],
  chat: ['M4.5 6.5a2 2 0 0 1 2-2h11a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H11l-4.5 4v-4a2 2 0 0 1-2-2z'],
  down: ['M12 5v14', 'M5.5 12.5 12 19l6.5-6.5'],
  chevron: ['M9 6l6 6-6 6'],
  warning: ['M12 8v5', 'M12 16.5v.01', 'M12 3.5 21.5 20h-19z'],
  retry: ['M19.5 12a7.5 7.5 0 1 1-2.2-5.3', 'M19.5 4v4h-4'],
};

/** A picture for a button that has words of its own; it says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const attributes = {
    class: `icon icon-${name}`, viewBox: '0 0 24 24', width: 24, height: 24, fill: 'none', stroke: 'currentColor',
    'stroke-width': 1.75, 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true',
  };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  for (const d of SHAPES[name]) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}
