// What a person has said in this tab and is not answered yet: it outlives a reload and the end of their key or token,
// and is theirs alone. It goes when they sign out.

import { kept } from '../ui/kept.js';

const NAME = 'tertulia:unsent:';
/** What was written and could not be stored lives in this page alone, where nothing lists it. */
const written = new Map();

/** The storage of one person, for the client. */
export function unsentOf(person) {
  const tab = kept('sessionStorage', person);
  if (!written.has(person)) written.set(person, new Set());
  const mine = written.get(person);
  const names = () => [...new Set([...mine, ...stored(`:${person}`)])].filter((name) => tab.getItem(name) !== null);
  return {
    getItem: (name) => tab.getItem(name),
    setItem(name, value) {
      mine.add(name);
      tab.setItem(name, value);
    },
    removeItem: (name) => tab.removeItem(name),

    /** The conversations in which something waits. */
    conversations: () => names().map((name) => name.slice(NAME.length)),

    clear() {
      for (const name of names()) tab.removeItem(name);
      mine.clear();
    },
  };
}

function stored(end) {
  try {
    const names = Object.keys(sessionStorage).filter((name) => name.startsWith(NAME) && name.endsWith(end));
    return names.map((name) => name.slice(0, -end.length));
  } catch {
    return [];
  }
}
