// The list of conversations, newest activity first, kept up to date while somebody looks at it.
// Invariant: it reads logs only. Asking how a conversation stands would wake it, and looking at a list must not wake
// all that is in it.

import { button, fill, h, icon } from '../dom.js';
import { glance, nameOf } from '../people.js';
import { ago, moment, t } from '../texts.js';

const REFRESH_MS = 2500;
const PAGE = 30;
const READS_AT_ONCE = 4;
/** A conversation in which something happened so lately is shown as live. */
const LIVE_MS = 90_000;

export function conversationList(studio) {
  const { api } = studio;
  const rows = new Map();
  const abort = new AbortController();
  const items = h('ul', { class: 'rows', 'aria-label': t('list.label') });
  const heading = h('h1', { tabindex: '-1' }, t('list.title'));
  const trouble = h('p', { class: 'remark bad', role: 'status', hidden: true });
  const empty = h(
    'div',
    { class: 'blank', hidden: true },
    icon('conversations'),
    h('p', { class: 'blank-title' }, t('list.empty')),
    studio.agent === null
      ? [
          h('p', {}, t('list.empty.text')),
          h('p', {}, h('a', { class: 'button', href: '#/website' }, icon('website'), h('span', {}, t('list.empty.action')))),
        ]
      : null,
  );
  const more = button(t('list.more'), { kind: 'plain', hidden: true, on: { click: () => page(next) } });
  const node = h('section', { class: 'list' }, heading, h('p', { class: 'lede' }, t('list.lede')), trouble, empty, items, more);
  const queue = [];
  let reading = 0;
  let next = null;
  let selected = null;
  let timer;

  async function refresh() {
    clearTimeout(timer);
    if (abort.signal.aborted) return;
    try {
      // A page that nobody looks at need not be new.
      if (!document.hidden) await page(null);
      trouble.hidden = true;
    } catch (error) {
      if (abort.signal.aborted) return;
      trouble.textContent = t('list.trouble', { reason: error.message });
      trouble.hidden = false;
    }
    timer = setTimeout(refresh, REFRESH_MS);
  }

  async function page(before) {
    const answer = await api.conversations({ before, limit: PAGE, signal: abort.signal });
    for (const one of answer.conversations) take(one);
    if (!before) drop(answer);
    if (before || next === null) {
      next = answer.next ?? '';
      more.hidden = next === '';
    }
    arrange();
  }

  /** What would stand on the first page and does not was erased: its words go from the screen, too. */
  function drop({ conversations, next: more }) {
    const there = new Set(conversations.map(({ id }) => id));
    const oldest = more ? Date.parse(conversations.at(-1)?.last_at) : -Infinity;
    for (const row of rows.values()) {
      if (there.has(row.id) || !(row.at > oldest)) continue;
      rows.delete(row.id);
      row.item.remove();
    }
  }

  function take({ id, head, last_at: at, last_words: words, waiting_since: waiting, contact, contact_name: called, owner, agent, handoff, status }) {
    const row = rows.get(id) ?? build(id);
    row.at = Date.parse(at);
    row.waiting = waiting ? Date.parse(waiting) : null;
    // The list knows this much; the log is ahead of it.
    row.seen ??= { contact, called, owner, agent, handoff, status, last: words ?? null };
    Object.assign(row.seen, { contact, called });
    if (row.head === head) return;
    row.wanted = head;
    if (!row.queued) {
      row.queued = true;
      queue.push(row);
    }
    pump();
  }

  async function pump() {
    if (reading >= READS_AT_ONCE) return;
    reading += 1;
    for (let row = queue.shift(); row; row = queue.shift()) {
      const head = row.wanted;
      try {
        row.seen = await glance(api, row.id, head, row.seen, abort.signal);
        row.head = head;
      } catch {
        // It stays as it was, and is asked for again with the next refresh.
      }
      row.queued = false;
      if (abort.signal.aborted) return;
      draw(row);
    }
    reading -= 1;
  }

  function build(id) {
    const who = h('span', { class: 'row-who', dir: 'auto' });
    const time = h('time', { class: 'row-time' });
    const said = h('span', { class: 'row-said' }, t('loading'));
    const badges = h('span', { class: 'row-badges' });
    const link = h('a', { href: `#/conversations/${id}`, class: 'row' }, who, time, said, badges);
    const row = { id, link, who, time, said, badges, item: h('li', {}, link), head: 0 };
    rows.set(id, row);
    if (id === selected) link.setAttribute('aria-current', 'true');
    return row;
  }

  function draw(row) {
    const { seen, at } = row;
    row.time.textContent = ago(at);
    row.time.dateTime = new Date(at).toISOString();
    row.time.title = moment(at);
    if (!seen) return;
    row.who.textContent = nameOf(seen.contact, seen.called);
    fill(row.said, seen.last ? h('span', { class: 'row-words', dir: 'auto' }, seen.last) : t('list.silent'));
    const badges = [];
    if (seen.owner === 'human') badges.push(h('span', { class: 'badge person' }, icon('person'), h('span', { dir: 'auto' }, seen.agent)));
    else if (seen.handoff) badges.push(h('span', { class: 'badge wanted' }, icon('person'), h('span', {}, t(`list.handoff.${seen.handoff}`, {}, t('list.handoff.asked')))));
    else if (seen.running) badges.push(h('span', { class: 'badge live' }, t('list.answering')));
    const asked = seen.owner === 'human' || seen.handoff;
    if (asked && row.waiting) badges.push(h('span', { class: 'badge', title: moment(row.waiting) }, t('list.waiting', { since: ago(row.waiting) })));
    if (seen.status === 'closed') badges.push(h('span', { class: 'badge' }, t('list.closed')));
    fill(row.badges, badges);
    row.link.classList.toggle('live', Date.now() - at < LIVE_MS);
  }

  function arrange() {
    empty.hidden = rows.size > 0;
    const ordered = [...rows.values()].sort((a, b) => b.at - a.at);
    const focused = document.activeElement;
    ordered.forEach((row, index) => {
      draw(row);
      if (items.children[index] !== row.item) items.insertBefore(row.item, items.children[index] ?? null);
    });
    // What is moved loses the focus.
    if (focused !== document.activeElement && items.contains(focused)) focused.focus({ preventScroll: true });
  }

  document.addEventListener('visibilitychange', () => !document.hidden && refresh(), { signal: abort.signal });
  refresh();

  return {
    node,
    refresh,
    focus: () => (rows.get(selected)?.link ?? heading).focus(),
    select(id) {
      rows.get(selected)?.link.removeAttribute('aria-current');
      selected = id ?? selected;
      if (id) rows.get(id)?.link.setAttribute('aria-current', 'true');
    },
    leave: () => {
      clearTimeout(timer);
      abort.abort();
    },
  };
}
