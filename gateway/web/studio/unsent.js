// What was said in this tab and is not answered yet: it outlives a reload, and goes with who signs out.

import { kept } from '../ui/kept.js';

const SCOPE = 'studio';
const tab = kept('sessionStorage', SCOPE);
const written = new Set();

export const unsent = {
  getItem: (name) => tab.getItem(name),
  setItem(name, value) {
    written.add(name);
    tab.setItem(name, value);
  },
  removeItem: (name) => tab.removeItem(name),

  clear() {
    for (const name of [...written, ...left()]) tab.removeItem(name);
    written.clear();
  },
};

/** What an earlier page of this tab has left. */
function left() {
  const end = `:${SCOPE}`;
  try {
    const names = Object.keys(sessionStorage).filter((name) => name.startsWith('tertulia:unsent:') && name.endsWith(end));
    return names.map((name) => name.slice(0, -end.length));
  } catch {
    return [];
  }
}
