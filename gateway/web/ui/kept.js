// Storage that never throws. Browsers forbid it, in frames of other sites or by a setting, or it is full:
// what they do not keep is kept here for as long as the page lives, whichever script runs, and however often.

const MEMORY = (globalThis[Symbol.for('tertulia.kept')] ??= { localStorage: new Map(), sessionStorage: new Map() });

/** `kind` is `localStorage` or `sessionStorage`; `scope` keeps apart what is not to be mixed, for example tenants. */
export function kept(kind, scope = '') {
  const memory = MEMORY[kind];
  const named = (key) => (scope ? `${key}:${scope}` : key);
  // Already reading the property throws where it is forbidden.
  const attempt = (act) => {
    try {
      return act(globalThis[kind]);
    } catch {
      return undefined;
    }
  };
  return {
    getItem(key) {
      const name = named(key);
      return memory.has(name) ? memory.get(name) : attempt((storage) => storage.getItem(name)) ?? null;
    },
    setItem(key, value) {
      const name = named(key);
      const done = attempt((storage) => {
        storage.setItem(name, value);
        return true;
      });
      if (done) return memory.delete(name);
      memory.set(name, String(value));
      // What did not fit must not leave an older value behind for the next visit.
      attempt((storage) => storage.removeItem(name));
    },
    removeItem(key) {
      const name = named(key);
      const done = attempt((storage) => {
        storage.removeItem(name);
        return true;
      });
      if (done) memory.delete(name);
      else memory.set(name, null);
    },
  };
}
