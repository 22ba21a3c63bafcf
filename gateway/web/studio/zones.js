// Time zones of the IANA database as this browser knows them: found by city, region, name or offset.
// Invariant: none of it decides; what a zone may be called is for the node to say.

import { t } from './texts.js';

/** Names by which people know a zone that browsers list under another. */
const ALSO = {
  'America/Buenos_Aires': 'Argentina',
  'America/Chicago': 'Dallas Houston',
  'America/Los_Angeles': 'San Francisco Seattle',
  'America/New_York': 'Boston Washington Miami',
  'America/Sao_Paulo': 'Brazil Brasil Rio',
  'Asia/Calcutta': 'Kolkata India Delhi Mumbai Bengaluru',
  'Asia/Katmandu': 'Kathmandu Nepal',
  'Asia/Rangoon': 'Yangon Myanmar',
  'Asia/Saigon': 'Ho Chi Minh Vietnam Hanoi',
  'Asia/Shanghai': 'China Beijing Peking Shenzhen',
  'Asia/Tokyo': 'Japan Osaka',
  'Australia/Sydney': 'Canberra',
  'Europe/Amsterdam': 'Netherlands',
  'Europe/Berlin': 'Germany Deutschland Hamburg Munich München Frankfurt Cologne',
  'Europe/Kiev': 'Kyiv Ukraine',
  'Europe/Lisbon': 'Portugal Porto',
  'Europe/London': 'United Kingdom UK England Scotland Wales Britain GMT',
  'Europe/Madrid': 'Spain España Barcelona Seville Sevilla Valencia',
  'Europe/Paris': 'France Lyon Marseille',
  'Europe/Rome': 'Italy Italia Milan Milano',
  'Europe/Vienna': 'Austria Österreich',
  'Europe/Warsaw': 'Poland Polska',
  'Europe/Zurich': 'Switzerland Schweiz Suisse Geneva',
  UTC: 'Greenwich GMT Coordinated Universal Time',
};

let known = null;

/** All zones: `{ zone, city, region, text }`, the browser's own first. */
export function zones() {
  known ??= list();
  return known;
}

/** The time and the offset there; nothing where the browser knows no such zone. */
export function clockOf(zone, at = new Date()) {
  try {
    const format = new Intl.DateTimeFormat('en', { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZoneName: 'shortOffset' });
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
    return { time: `${parts.hour}:${parts.minute}`, offset: parts.timeZoneName.replace('GMT', 'UTC').replace('-', '−') };
  } catch {
    return null;
  }
}

/** The zones that fit what somebody typed, the best first. */
export function found(typed) {
  const wanted = plain(typed).split(' ').filter(Boolean);
  if (!wanted.length) return zones();
  const ranked = zones().map((one) => [rank(one, wanted), one]);
  return ranked.filter(([fits]) => fits > 0).sort(([a], [b]) => b - a).map(([, one]) => one);
}

/** The words of a city count more than those of its region, and its beginning most; all have to fit. */
function rank({ city, text, offset }, wanted) {
  const name = plain(city);
  const each = wanted.map((word) => {
    if (/^(utc|gmt)?[+−-]\d/.test(word)) return offsetOf(word) === offset() ? 2 : 0;
    if (name.startsWith(word)) return 4;
    if (` ${name}`.includes(` ${word}`)) return 3;
    return text.includes(` ${word}`) ? 1 : 0;
  });
  return each.includes(0) ? 0 : each.reduce((sum, one) => sum + one, 0);
}

function list() {
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const names = new Set(['UTC', ...(Intl.supportedValuesOf?.('timeZone') ?? [])]);
  if (own) names.add(own);
  const sorted = [...names].sort((a, b) => Number(b === own) - Number(a === own) || Number(b === 'UTC') - Number(a === 'UTC') || a.localeCompare(b, 'en'));
  return sorted.map((zone) => {
    const parts = zone.replaceAll('_', ' ').split('/');
    const city = parts.at(-1);
    let offset = null;
    return {
      zone,
      city,
      region: parts.slice(0, -1).join(' · '),
      own: zone === own ? t('business.zone.own') : '',
      text: ` ${plain(`${zone} ${ALSO[zone] ?? ''} ${longName(zone)}`)}`,
      offset: () => (offset ??= offsetOf(clockOf(zone)?.offset ?? '')),
    };
  });
}

/** `Central European Time`: some know their zone by this. */
function longName(zone) {
  try {
    const parts = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longGeneric' }).formatToParts(0);
    return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
  } catch {
    return '';
  }
}

/** `UTC+5:30`, `gmt+05`, `-3` as minutes. */
function offsetOf(text) {
  const [, sign, hours, minutes = '0'] = /([+−-])(\d{1,2}):?(\d{2})?/.exec(text) ?? [];
  return sign ? (sign === '+' ? 1 : -1) * (Number(hours) * 60 + Number(minutes)) : 0;
}

function plain(text) {
  return text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    // A sign before a number, and else what joins words.
    .replace(/[−-](?!\d)/g, ' ')
    .replace(/[^\p{L}\p{N}+:−-]+/gu, ' ')
    .trim();
}
