// Questions without an answer, newest first: where they were asked, and a place to answer them once and for all.

import { button, fill, h, icon } from '../dom.js';
import { ago, moment, t } from '../texts.js';
import { answerForm } from './answers-form.js';

const REFRESH_MS = 5_000;
const PAGE = 30;

export function questions(studio) {
  const { api, notice } = studio;
  const abort = new AbortController();
  const told = h('p', { class: 'soft', role: 'status' }, t('loading'));
  const list = h('ul', { class: 'questions', 'aria-label': t('answers.questions') });
  const more = button(t('list.more'), { kind: 'plain', hidden: true, on: { click: older } });
  const node = h('section', { 'aria-label': t('answers.questions') }, told, list, more);
  /** Rows by the key of their question, in the order of showing. */
  const rows = new Map();
  let next = null;
  let further = false;
  let timer;

  async function refresh() {
    clearTimeout(timer);
    if (abort.signal.aborted) return;
    try {
      if (!document.hidden || !rows.size) await read();
    } catch (error) {
      if (abort.signal.aborted) return;
      trouble(error);
    }
    timer = setTimeout(refresh, REFRESH_MS);
  }

  /** The newest page. What was fetched behind it stays, unless it has become newer. */
  async function read() {
    const page = await api.unanswered({ limit: PAGE, signal: abort.signal });
    const known = new Set(page.questions.map(({ key }) => key));
    const oldest = Date.parse(page.questions.at(-1)?.last_at);
    further &&= Boolean(page.next);
    if (!further) next = page.next;
    // What is newer than the end of the page and not on it was answered or dismissed elsewhere.
    const behind = further ? [...rows.values()].map(({ one }) => one).filter((one) => !known.has(one.key) && Date.parse(one.last_at) <= oldest) : [];
    show([...page.questions, ...behind]);
  }

  async function older() {
    try {
      const page = await api.unanswered({ limit: PAGE, after: next, signal: abort.signal });
      const shown = [...rows.values()].map(({ one }) => one);
      further = true;
      next = page.next;
      show([...shown, ...page.questions.filter(({ key }) => !rows.has(key))]);
      rows.get(page.questions[0]?.key)?.node.querySelector('button').focus();
    } catch (error) {
      if (!abort.signal.aborted) notice.fail(error);
    }
  }

  function trouble(error) {
    told.textContent = t('list.trouble', { reason: error.message });
    told.hidden = false;
  }

  function show(found) {
    const before = new Map(rows);
    rows.clear();
    for (const one of found) {
      const same = before.get(one.key);
      rows.set(one.key, same && JSON.stringify(same.one) === JSON.stringify(one) ? same : { one, node: row(one) });
    }
    const had = document.activeElement;
    const lost = list.contains(had) ? had.closest('li').dataset.key : null;
    for (const [index, { one, node: item, time = item.querySelector('time') }] of [...rows.values()].entries()) {
      time.textContent = ago(Date.parse(one.last_at));
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    }
    while (list.children.length > rows.size) list.lastChild.remove();
    // A row that was built anew or moved keeps the keyboard.
    if (lost !== null && !list.contains(document.activeElement)) (rows.get(lost)?.node.querySelector('button') ?? heading()).focus({ preventScroll: true });
    more.hidden = !next;
    told.hidden = true;
    if (!rows.size) fill(list, h('li', { class: 'blank' }, icon('check'), h('p', { class: 'blank-title' }, t('questions.empty')), h('p', {}, t('questions.empty.text'))));
  }

  function row(one) {
    const { key, question, count, last_at: at, wrong, conversations } = one;
    const places = conversations.map(({ id, seq }, index) =>
      h(
        'a',
        { href: `#/conversations/${id}/${seq}`, 'aria-label': t('questions.place', { n: index + 1, question }) },
        index === 0 ? t('questions.first') : String(index + 1),
      ),
    );
    return h(
      'li',
      { class: 'question', data: { key } },
      h(
        'div',
        { class: 'question-said' },
        h('p', { class: 'question-text', dir: 'auto' }, question),
        h(
          'p',
          { class: 'question-facts' },
          wrong ? h('span', { class: 'badge person' }, icon('alert'), t('questions.wrong')) : null,
          h('span', {}, t('questions.count', { count })),
          h('time', { datetime: at, title: moment(at) }, ago(Date.parse(at))),
          places.length ? h('span', { class: 'places' }, places) : null,
        ),
      ),
      h(
        'div',
        { class: 'question-ways' },
        button(t('questions.answer'), { 'aria-label': t('questions.answer.one', { question }), on: { click: () => answer(one) } }),
        button(t('questions.dismiss'), {
          kind: 'plain',
          'aria-label': t('questions.dismiss.one', { question }),
          on: { click: () => dismiss(one) },
        }),
      ),
    );
  }

  async function answer({ key, question }) {
    const saved = await answerForm(studio, { questions: [question], unanswered: key });
    if (!saved) return;
    notice.tell(t('answer.saved'), { action: t('answer.saved.action'), act: () => studio.go('#/try') });
    gone(key);
  }

  /** It comes back when it is asked again: that needs no question. */
  async function dismiss({ key }) {
    try {
      await api.dismiss(key);
      notice.tell(t('questions.dismissed'));
      gone(key);
    } catch (error) {
      // Somebody else was faster; the outcome is the same.
      if (error.code === 'not_found') gone(key);
      else notice.fail(error);
    }
  }

  function gone(key) {
    const keys = [...rows.keys()];
    const neighbour = keys[keys.indexOf(key) + 1] ?? keys[keys.indexOf(key) - 1];
    show([...rows.values()].map(({ one }) => one).filter((one) => one.key !== key));
    (rows.get(neighbour)?.node.querySelector('button') ?? heading()).focus();
    refresh();
  }

  const heading = () => document.querySelector('.answers h1');

  document.addEventListener('visibilitychange', () => !document.hidden && refresh(), { signal: abort.signal });
  refresh();
  return {
    node,
    leave: () => {
      clearTimeout(timer);
      abort.abort();
    },
  };
}
