// The studio's words, in English for now, and how it writes numbers, sizes and times.
// Invariant: no page spells a sentence itself, so that another language is one more catalogue.

import { words } from '../ui/texts.js';
import { english } from './texts-en.js';

const say = words(['en'], { en: flat(english) });
const known = new Set(Object.keys(flat(english)));
const plural = new Intl.PluralRules(say.language);
const relative = new Intl.RelativeTimeFormat(say.language, { numeric: 'auto', style: 'short' });

/**
 * A text with its values: `{name}` is replaced by the value of that name. One that depends on `count`
 * has plural forms. `fallback` serves names that come from the node.
 */
export function t(name, values = {}, fallback = name) {
  const forms = values.count === undefined ? [] : [values.count === 0 && 'zero', values.count === 2 && 'two', plural.select(values.count), 'other'];
  const key = [...forms.map((form) => `${name}.${form}`), name].find((one) => known.has(one));
  if (!key) return fallback;
  const spelled = Object.entries(values).map(([key, value]) => [key, typeof value === 'number' ? number(value) : (value ?? '')]);
  return say(key, Object.fromEntries(spelled));
}

/** `{a: {one, other}}` as `{'a.one', 'a.other'}`. */
function flat(catalogue) {
  const entries = Object.entries(catalogue).flatMap(([name, entry]) =>
    typeof entry === 'string' ? [[name, entry]] : Object.entries(entry).map(([form, text]) => [`${name}.${form}`, text]),
  );
  return Object.fromEntries(entries);
}

export function number(value) {
  return new Intl.NumberFormat(say.language).format(value);
}

export function size(bytes) {
  const [value, unit] = bytes < 1e3 ? [bytes, 'byte'] : bytes < 1e6 ? [bytes / 1e3, 'kilobyte'] : [bytes / 1e6, 'megabyte'];
  return new Intl.NumberFormat(say.language, {
    style: 'unit',
    unit,
    unitDisplay: unit === 'byte' ? 'long' : 'short',
    maximumFractionDigits: value < 10 && unit !== 'byte' ? 1 : 0,
  }).format(value);
}

export function seconds(ms) {
  if (ms < 1000) return `${number(ms)} ms`;
  return `${new Intl.NumberFormat(say.language, { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(ms / 1000)} s`;
}

/** Prices of single answers are fractions of a cent: the digits that count are shown. */
export function dollars(micros) {
  return new Intl.NumberFormat(say.language, {
    style: 'currency',
    currency: 'USD',
    maximumSignificantDigits: 3,
    minimumFractionDigits: 0,
  }).format(micros / 1e6);
}

/** What a language is called, by its tag. */
export function languageName(tag) {
  try {
    return new Intl.DisplayNames([say.language], { type: 'language' }).of(tag);
  } catch {
    return tag;
  }
}

export function day(at) {
  return new Intl.DateTimeFormat(say.language, { dateStyle: 'medium' }).format(new Date(at));
}

export function moment(at) {
  return new Intl.DateTimeFormat(say.language, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(at));
}

export function ago(at) {
  const minutes = Math.round((at - Date.now()) / 60_000);
  if (minutes > -1) return t('now');
  if (minutes > -60) return relative.format(minutes, 'minute');
  if (minutes > -60 * 24) return relative.format(Math.round(minutes / 60), 'hour');
  if (minutes > -60 * 24 * 7) return relative.format(Math.round(minutes / 60 / 24), 'day');
  return day(at);
}
