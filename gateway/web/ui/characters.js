// Characters as HTML names and numbers them, which models write in a reply's text.
// Invariant: a character comes out, never markup; a name that is none stays as it was written.

/** `&euro;`, `&#8364;`, `&#x20AC;` */
export const ENTITY = '&(?:[A-Za-z]{2,8}\\d{0,2}|#\\d{1,7}|#[xX][\\dA-Fa-f]{1,6});';

const NAMED = new Map(Object.entries({
  amp: '&', lt: '<', gt: '>', quot: '"', apos: '\'', nbsp: '\u00a0', euro: '€', pound: '£', yen: '¥', cent: '¢',
  sect: '§', copy: '©', reg: '®', trade: '™', deg: '°', micro: 'µ', middot: '·', bull: '•', hellip: '…', ndash: '–',
  mdash: '—', lsquo: '‘', rsquo: '’', sbquo: '‚', ldquo: '“', rdquo: '”', bdquo: '„', laquo: '«', raquo: '»',
  iquest: '¿', iexcl: '¡', times: '×', divide: '÷', plusmn: '±', minus: '−', frac12: '½', frac14: '¼', frac34: '¾',
  sup2: '²', sup3: '³', le: '≤', ge: '≥', larr: '←', rarr: '→', check: '✓', szlig: 'ß', aelig: 'æ', AElig: 'Æ',
  oelig: 'œ', oslash: 'ø', Oslash: 'Ø',
}));
/** What stands above or below a letter: `&uuml;` is u with two dots. */
const ACCENTS = new Map(Object.entries({
  uml: '\u0308', acute: '\u0301', grave: '\u0300', circ: '\u0302', tilde: '\u0303', cedil: '\u0327', ring: '\u030a', caron: '\u030c',
}));

/** The character that an entity stands for. */
export function character(entity) {
  const name = entity.slice(1, -1);
  if (name[0] === '#') return numbered(Number(name.slice(1).replace(/^x/i, '0x'))) ?? entity;
  const accent = ACCENTS.get(name.slice(1));
  return NAMED.get(name) ?? (accent ? (name[0] + accent).normalize() : entity);
}

/** No half of a pair, nothing that is no character, and none that controls. */
function numbered(code) {
  const is = code > 31 && !(code > 126 && code < 160) && !(code > 0xd7ff && code < 0xe000) && code <= 0x10ffff;
  return is ? String.fromCodePoint(code) : null;
}
