// What a passage's document is called and where it can be read; and passages as the pages they are of.
// Invariant: no elements and no network. No name is ever an address, and only http and https are addresses.

const PATH = ' › ';
const OWN = 'answer:';
const TITLE_CHARS_MAX = 120;
const ENDING = /(?<=.)\.[\p{L}\p{N}]{1,5}$/u;

/** An address that can be opened; null for what is none, or reads like one place and leads to another. */
export function addressOf({ address, source }) {
  const url = parsed(address) ?? parsed(source);
  return url && !url.username && !url.password ? url.href : null;
}

/** Whether somebody of the business has typed it as the answer to a question. */
export function isOwn({ source }) {
  return typeof source === 'string' && source.startsWith(OWN);
}

/** What people call the document: its title, its outermost heading, or its name without path and ending. */
export function titleOf({ title, heading, source }) {
  const names = [title, outermost(heading), fileName(source), parsed(source)?.host];
  return shortened(names.map(spoken).find((name) => name && !/^https?:/i.test(name)) ?? '');
}

/** The headings within the document that lead to a passage; what the document is called is not said again. */
export function pathOf(passage) {
  const parts = String(passage.heading ?? '').split(PATH).map(spoken).filter(Boolean);
  const title = titleOf(passage);
  return parts[0] && shortened(parts[0]) === title ? parts.slice(1) : parts;
}

/** Passages by their documents, in the order of their numbers: `{ title, address, own, passages }`. */
export function pages(passages) {
  const found = new Map();
  for (const passage of [...passages].sort((one, other) => one.n - other.n)) {
    const address = addressOf(passage);
    const own = isOwn(passage);
    const key = address ? address.replace(/#.*$/, '') : `${passage.source}`;
    const page = found.get(key) ?? { title: titleOf(passage), address, own, passages: [] };
    page.passages.push(passage);
    found.set(key, page);
  }
  return [...found.values()];
}

/** The numbers of passages that a text names: `[1]`, `[1, 2]`. */
export function citedIn(text) {
  const groups = text.matchAll(/\[(\d{1,3}(?:[,;] ?\d{1,3}){0,9})\](?!\()/g);
  return new Set([...groups].flatMap(([, numbers]) => numbers.split(/[,;]/).map(Number)));
}

/** Where a page lies, in a word: for who wants to know before they go there. */
export function hostOf(address) {
  return parsed(address)?.host.replace(/^www\./, '') ?? '';
}

function parsed(address) {
  if (typeof address !== 'string' || !/^https?:\/\//i.test(address)) return null;
  try {
    return new URL(address);
  } catch {
    return null;
  }
}

function outermost(heading) {
  return String(heading ?? '').split(PATH).find((part) => part.trim());
}

/** The last part of a path, without its ending. */
function fileName(source) {
  const url = parsed(source);
  const path = url ? decoded(url.pathname) : String(source ?? '').replace(OWN, '').replace(/[?#].*$/, '');
  const name = path.split(/[/\\]/).findLast((part) => part.trim()) ?? '';
  return name.replace(ENDING, '');
}

function decoded(path) {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

function spoken(name) {
  return String(name ?? '').replaceAll('\x60', '').replace(/\s+/g, ' ').trim();
}

function shortened(name) {
  return name.length > TITLE_CHARS_MAX ? `${[...name.slice(0, 2 * TITLE_CHARS_MAX)].slice(0, TITLE_CHARS_MAX).join('')}…` : name;
}
