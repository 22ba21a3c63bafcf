// Markdown as a model writes it, shown as elements built one by one.
// Invariant: what the text holds becomes text nodes; no address is loaded, and only http, https and
// mailto become links. The work is linear in the text, however hostile.

import { ADDRESS, withoutEnd } from './address.js';
import { blocks } from './blocks.js';
import { ENTITY, character } from './characters.js';
import { h } from './dom.js';
import { whole } from './whole.js';

const DEPTH = 12;
const SCHEMES = new Set(['http:', 'https:', 'mailto:']);
const TOKEN = new RegExp([
  /(?<escape>\\[\\`*_~[\](){}#+.!|<>-])/, /(?<code>`+)/, /(?<cite>\[\d{1,3}(?:[,;] ?\d{1,3}){0,9}\](?!\())/, /(?<open>!?\[)/, /(?<close>\])/,
  /(?<mark>\*{1,3}|_{1,3}|~~)/, /(?<angle><(?:https?:\/\/|mailto:)[^\s<>]{1,2000}>)/,
  /(?<line>\n|<[bB][rR] {0,3}\/?>\n?)/,
].map((part) => part.source).concat(`(?<url>${ADDRESS})`, `(?<entity>${ENTITY})`).join('|'), 'gu');
const TARGET = /\(\s{0,9}<?([^\s<>()]{0,2000}(?:\([^\s<>()]{0,200}\)[^\s<>()]{0,200}){0,9})>?(?:\s{1,9}"[^"]{0,300}")?\s{0,9}\)/y;

const ENTITIES = new RegExp(ENTITY, 'gu');
/** A space or a quotation mark behind an address, or its end. */
const NOT_IN_ADDRESS = new RegExp(`(?!&amp;)${ENTITY}|$`, 'u');

/** A text that grows: only blocks that changed are built anew. */
export class Markdown {
  #root;
  #options;
  #text = '';
  #built = [];

  /** `cite(n)` makes the element for a source's number, or nothing. `words` names code and tables. */
  constructor(root, options = {}) {
    this.#root = root;
    this.#options = options;
  }

  update(text) {
    const open = this.#built.at(-2);
    const grown = open && text.startsWith(this.#text);
    const kept = grown ? this.#built.slice(0, -2) : [];
    const from = grown ? open.from : 0;
    const made = blocks(text.slice(from)).map((block) => ({ ...block, from: from + block.from }));
    const next = [...kept];
    for (const block of made) next.push({ ...block, node: build(block, this.#options, 0) });
    for (const old of this.#built.slice(kept.length)) old.node.remove();
    for (const block of next.slice(kept.length)) this.#root.append(block.node);
    this.#built = next;
    this.#text = text;
  }
}

function build(block, options, depth) {
  switch (block.type) {
    case 'code':
      return h('pre', { tabindex: '0', role: 'group', 'aria-label': options.words?.('code'), dir: 'ltr' }, h('code', {}, block.text));
    case 'rule':
      return h('hr');
    case 'heading':
      return h('p', { class: 'heading', dir: 'auto' }, h('strong', {}, inline(block.text, options)));
    case 'quote':
      return h('blockquote', { dir: 'auto' }, nested(block.text, options, depth));
    case 'list':
      return h(block.ordered ? 'ol' : 'ul', { dir: 'auto', start: block.ordered && block.start !== 1 ? block.start : undefined },
        block.items.map((item, n) => h('li', { value: block.numbers[n]?.toString() }, tight(nested(item, options, depth)))));
    case 'table':
      return table(block, options);
    default:
      return h('p', { dir: 'auto' }, inline(block.text, options));
  }
}

function nested(text, options, depth) {
  if (depth >= DEPTH) return [text];
  return blocks(text).map((block) => build(block, options, depth + 1));
}

/** An item of one paragraph is its words, without a paragraph's room around them. */
function tight(nodes) {
  const [first, ...rest] = nodes;
  return first?.tagName === 'P' ? [...first.childNodes, ...rest] : nodes;
}

function table({ head, rows, aligns }, options) {
  const cell = (tag) => (text, i) => h(tag, { dir: 'auto', class: aligns[i] && `to-${aligns[i]}`, scope: tag === 'th' ? 'col' : undefined }, inline(text, options));
  return h('div', { class: 'table', tabindex: '0', role: 'group', 'aria-label': options.words?.('table') }, h('table', {},
    h('thead', {}, h('tr', {}, head.map(cell('th')))),
    h('tbody', {}, rows.map((row) => h('tr', {}, row.map(cell('td')))))));
}

/** Emphasis, code, links: one pass with a bounded stack of what is open. */
export function inline(text, options = {}) {
  const stack = [{ mark: null, nodes: [] }];
  const add = (node) => stack.at(-1).nodes.push(node);
  const flatten = (to) => {
    while (stack.length > to) {
      const { text: opener, nodes } = stack.pop();
      add([opener, nodes]);
    }
  };
  const runs = codeRuns(text);
  let at = 0;
  let words = '';
  TOKEN.lastIndex = 0;
  for (let found; (found = TOKEN.exec(text));) {
    const { groups, 0: token } = found;
    words += text.slice(at, found.index);
    at = found.index + token.length;
    if (groups.entity) {
      // With the words around it, so that `5&nbsp;&euro;` is one amount.
      words += character(token);
      continue;
    }
    if (words) add(whole(words));
    words = '';
    if (groups.escape) add(token[1]);
    else if (groups.line) add(h('br'));
    else if (groups.cite) add(cited(token, options.cite));
    else if (groups.code) at = code(text, found.index, token, runs, add);
    else if (groups.open) {
      if (stack.length < DEPTH) stack.push({ mark: '[', text: token, nodes: [] });
      else add(token);
    } else if (groups.close) at = closeLink(text, at, stack, flatten, add);
    else if (groups.angle) add(link(token.slice(1, -1), [token.slice(1, -1).replace(/^mailto:/, '')]) ?? token);
    else if (groups.url) {
      const written = withoutEnd(token.slice(0, token.search(NOT_IN_ADDRESS)), stack.map((frame) => frame.mark));
      const address = written.replaceAll('&amp;', '&');
      at = found.index + written.length;
      add(link(address, [address]) ?? address);
    } else mark(text, found.index, token, stack, flatten, add);
    TOKEN.lastIndex = at;
  }
  words += text.slice(at);
  if (words) add(whole(words));
  flatten(1);
  const fragment = document.createDocumentFragment();
  for (const node of stack[0].nodes.flat(Infinity)) fragment.append(node);
  return fragment;
}

const PLAIN = new RegExp(ADDRESS, 'gu');

/** A person's words: as written, with addresses to click. */
export function plain(text) {
  const fragment = document.createDocumentFragment();
  let at = 0;
  for (const { 0: token, index } of text.matchAll(PLAIN)) {
    const address = withoutEnd(token);
    for (const piece of whole(text.slice(at, index))) fragment.append(piece);
    fragment.append(link(address, [address]) ?? address);
    at = index + address.length;
  }
  for (const piece of whole(text.slice(at))) fragment.append(piece);
  return fragment;
}

/** `[1]` and `[1, 2]` as the elements of their numbers; where one of them has none, as it was written. */
function cited(token, cite) {
  const numbers = token.slice(1, -1).split(/[,;]/).map(Number);
  const made = cite ? numbers.map((n) => cite(n)) : [null];
  return made.every(Boolean) ? made : token;
}

function link(address, nodes) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  // `https://bank.example@evil.example` reads like one place and leads to another.
  if (!SCHEMES.has(url.protocol) || url.username || url.password) return null;
  return h('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer nofollow', title: url.href, dir: 'auto' },
    // An address within a link's words is not a second link.
    nodes.flat(Infinity).map((node) => (node.tagName === 'A' ? node.textContent : node)));
}

function closeLink(text, at, stack, flatten, add) {
  const open = stack.findLastIndex((frame) => frame.mark === '[');
  if (open < 0) {
    add(']');
    return at;
  }
  TARGET.lastIndex = at;
  const target = text[at] === '(' ? TARGET.exec(text) : null;
  flatten(open + 1);
  const { text: opener, nodes } = stack.pop();
  if (!target) {
    add([opener, nodes, ']']);
    return at;
  }
  // An image is a link to it: nothing is loaded that nobody asked for.
  add(link(target[1].replace(ENTITIES, character), nodes.length ? nodes : [target[1]]) ?? nodes);
  return at + target[0].length;
}

const TAGS = { '*': 'em', '**': 'strong', '***': 'strong', _: 'em', __: 'strong', ___: 'strong', '~~': 's' };

function mark(text, index, token, stack, flatten, add) {
  const before = text[index - 1] ?? ' ';
  const after = text[index + token.length] ?? ' ';
  const word = /[\p{L}\p{N}]/u;
  // Within a word they are part of it: `snake_case`, `2*3*4`.
  const whole = token[0] === '_' || token === '*';
  const closes = /\S/.test(before) && !(whole && word.test(after));
  const opens = /\S/.test(after) && !(whole && word.test(before));
  const open = closes ? stack.findLastIndex((frame) => frame.mark === token) : -1;
  if (open > 0 && !stack.slice(open).some((frame) => frame.mark === '[')) {
    flatten(open + 1);
    const { nodes } = stack.pop();
    add(h(TAGS[token], {}, token.length === 3 ? h('em', {}, nodes) : nodes));
  } else if (opens && stack.length < DEPTH) stack.push({ mark: token, text: token, nodes: [] });
  else add(token);
}

/** Where runs of backticks of each length stand, so that no run is searched for twice. */
function codeRuns(text) {
  const runs = new Map();
  for (const { 0: run, index } of text.matchAll(/\x60+/g)) {
    if (!runs.has(run.length)) runs.set(run.length, { places: [], next: 0 });
    runs.get(run.length).places.push(index);
  }
  return runs;
}

function code(text, index, token, runs, add) {
  const run = runs.get(token.length);
  while (run.places[run.next] <= index) run.next += 1;
  const end = run.places[run.next];
  if (end === undefined) {
    add(token);
    return index + token.length;
  }
  const inner = text.slice(index + token.length, end);
  const padded = inner.startsWith(' ') && inner.endsWith(' ') && inner.trim();
  add(h('code', { dir: 'ltr' }, padded ? inner.slice(1, -1) : inner));
  return end + token.length;
}
