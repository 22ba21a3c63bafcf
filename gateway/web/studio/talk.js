// The shared thread and composer as the studio uses them.

import { Composer } from '../ui/composer.js';
import { Thread } from '../ui/thread.js';
import { words } from '../ui/texts.js';

/** The chat's own words, some of them replaced. */
function chatWords(others) {
  const base = words(['en']);
  const say = (key, values) => others[key] ?? base(key, values);
  return Object.assign(say, { language: base.language, locale: base.locale });
}

export function thread({ words: others = {}, ...options }) {
  return new Thread({ words: chatWords(others), ...options });
}

export function composer({ words: others, ...options }) {
  return new Composer({ words: chatWords(others), ...options });
}
