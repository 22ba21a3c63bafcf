// Keeps together what is read as one: an amount, a measure, a time, a phone number.
// Invariant: the text stays as it is, to the character, so that it is copied and read aloud as it was written.
// The work is linear: every repetition is bounded, and what separates one from the next is no part of either.

import { h } from './dom.js';

const BLANK = '[ \u00a0\u202f]';
const NUMBER = `\\d{1,9}(?:[.,’'\u00a0\u202f]\\d{1,3}| \\d{3}(?!\\d)){0,4}`;
const SIGN = '[£$€¥₹₺₽₩]';
const CURRENCY = String.raw`(?:EUR|USD|GBP|CHF|JPY|SEK|NOK|DKK|PLN|CZK|Fr\.|kr\.?|zł|Kč)`;
const HALF = `(?:[ap]\\.?${BLANK}?m\\.?|[AP]\\.?M\\.?)`;
const UNIT = String.raw`(?:[kmµ]?g|lbs?|oz|[kcmµ]?m[²³]?|[mcd]?l|L|ft|[kKMGT]i?B|[km]?Wh?|[mk]?V|[mk]?A|[MG]?Hz|m?s|min|h|hrs?|° ?[CF]?|%|‰|Uhr|${HALF})`;
const TO = `${BLANK}?[–—-]${BLANK}?`;
const OCLOCK = `${BLANK}?(?:Uhr|h|${HALF})`;
const CLOCK = `\\d{1,2}(?:[:.]\\d{2}(?:${OCLOCK})?|${OCLOCK})`;
const END = '(?![\\p{L}\\p{N}])';

const WHOLE = new RegExp(
  [
    // Phone numbers: +44 1632 960184, 01632 960184, (555) 010-0199, 555-010-0199.
    `(?:\\+\\d{1,4}|\\(\\d{2,5}\\)|0\\d{1,5})(?:${BLANK}?\\(0\\))?(?:(?:[./-]|${BLANK}){1,2}(?:\\d{2,9}|\\(\\d{2,5}\\))){1,5}${END}`,
    `\\d{3}-\\d{3}-\\d{4}${END}`,
    // From one time to another, or from 4.50 to 6.00 of something.
    `${CLOCK}${TO}${CLOCK}(?:${BLANK}?(?:${SIGN}|(?:${CURRENCY}|${UNIT})))?${END}`,
    // Amounts and measures: the sign before or behind.
    `(?:${SIGN}|${CURRENCY})${BLANK}?${NUMBER}(?:${TO}(?:${SIGN}${BLANK}?)?${NUMBER})?${END}`,
    `${NUMBER}(?:${TO}${NUMBER})?${BLANK}?(?:${SIGN}|(?:${CURRENCY}|${UNIT})${END})`,
    `${CLOCK}${END}`,
  ].join('|'),
  'gu',
);
/** A longer one may be wider than a phone. */
const CHARS_MAX = 32;

/** The pieces of a text: strings, and elements that do not break over lines. */
export function whole(text) {
  if (!/\d/.test(text)) return [text];
  const pieces = [];
  let at = 0;
  for (const { 0: found, index } of text.matchAll(WHOLE)) {
    // Within a word or a longer number it is something else: a part's number, an address, a date.
    if (found.length > CHARS_MAX || /[\p{L}\p{N}][.,:/-]?$/u.test(text.slice(Math.max(0, index - 2), index))) continue;
    if (index > at) pieces.push(text.slice(at, index));
    pieces.push(h('span', { class: 'whole' }, found));
    at = index + found.length;
  }
  if (at < text.length) pieces.push(text.slice(at));
  return pieces;
}
