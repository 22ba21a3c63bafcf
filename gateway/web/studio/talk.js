// The shared thread and composer as the studio uses them.

import { Composer } from '../ui/composer.js';
import { Thread } from '../ui/thread.js';
import { words } from '../ui/texts.js';
import { t } from './texts.js';

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

/** What there is to say of the line to a conversation; nothing where it is simply there. */
export function lineOf(feed) {
  if (!feed.down) return '';
  if (!navigator.onLine) return t('line.offline');
  return t(feed.state === 'silent' ? 'line.silent' : 'line.lost');
}
