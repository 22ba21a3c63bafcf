// In which language somebody reads: what the page says of itself, else what the browser is set to.
// Invariant: what it gives is a tag that a node takes, or nothing.

const CHARS_MAX = 35;

/** The first of these that names a language. People write `en_US` where `en-US` is meant. */
export function localeOf(...said) {
  for (const one of said) {
    try {
      const [tag] = Intl.getCanonicalLocales(String(one || '').trim().replaceAll('_', '-') || []);
      if (tag) return tag.length <= CHARS_MAX ? tag : new Intl.Locale(tag).language;
    } catch {
      // Not a tag: what else there is may be one.
    }
  }
  return undefined;
}

/** That of the page this runs in; nothing where there is no page. */
export function pageLocale() {
  const { document, navigator } = globalThis;
  return document && localeOf(document.documentElement?.lang, ...(navigator?.languages ?? []));
}
