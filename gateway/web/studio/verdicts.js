// What the team says of the assistant's replies: "this was wrong", with a note, and the way back.

import { button, field, fill, h, icon } from './dom.js';
import { t } from './texts.js';

const NOTE_CHARS_MAX = 500;
const PAGE = 500;

/** The verdicts of one conversation; `id()` tells which. */
export function verdicts({ api, notice }, id) {
  /** By the number of the reply: `wrong` or `right`, with the note. */
  const given = new Map();
  /** Replies that are shown, by their number. */
  const shown = new Map();

  /** Reads what was said of the replies from one event to another. */
  async function load(after, head) {
    const of = id();
    for (let at = after; at < head; ) {
      const page = await api.events(of, { after: at, limit: PAGE });
      if (of !== id()) return;
      for (const one of page.verdicts ?? []) take(one.seq, one);
      const last = page.events.at(-1)?.seq;
      if (!(last > at)) return;
      at = last;
    }
  }

  function take(seq, verdict) {
    given.set(seq, verdict);
    const one = shown.get(seq);
    if (one) draw(seq, one);
  }

  /** Below a reply: whether it was wrong, and what there is to say of it. */
  function decorate(entry, element) {
    if (entry.author !== 'assistant' || entry.status !== 'done' || !entry.seq || !entry.text.trim()) return;
    let place = element.querySelector('.verdict');
    if (!place) {
      place = h('div', { class: 'verdict' });
      element.append(place);
    }
    const one = { place, unknown: Boolean(entry.made?.unanswered) };
    shown.set(entry.seq, one);
    draw(entry.seq, one);
  }

  function draw(seq, { place, unknown }) {
    const { verdict, note } = given.get(seq) ?? {};
    const look = `${seq}|${verdict}|${note}|${unknown}`;
    if (place.dataset.look === look) return;
    place.dataset.look = look;
    const had = place.contains(document.activeElement);
    place.classList.toggle('bad', verdict === 'wrong');
    fill(
      place,
      verdict === 'wrong'
        ? [
            icon('alert'),
            h('span', { dir: 'auto' }, note ? t('verdict.wrong.note', { note }) : t('verdict.wrong')),
            button(t('verdict.undo'), { kind: 'as-link', on: { click: () => say(seq, 'right') } }),
          ]
        : [
            unknown ? h('span', {}, t('verdict.unknown')) : null,
            unknown ? h('a', { href: '#/answers' }, t('verdict.unknown.action')) : null,
            button(t('verdict.say'), { kind: 'as-link quiet-link', on: { click: () => ask(seq) } }),
          ],
    );
    if (had) place.querySelector('button').focus();
  }

  async function ask(seq) {
    const note = h('textarea', { name: 'note', rows: 3, maxlength: NOTE_CHARS_MAX, dir: 'auto' });
    const answer = await notice.ask({
      title: t('verdict.title'),
      body: field(t('verdict.note'), note, { hint: t('verdict.note.hint') }),
      actions: (close) => [
        button(t('keep'), { kind: 'plain', on: { click: () => close('') } }),
        button(t('verdict.action'), { kind: 'primary', on: { click: () => close('yes') } }),
      ],
    });
    if (answer === 'yes') await say(seq, 'wrong', note.value.trim() || undefined);
  }

  async function say(seq, verdict, note) {
    try {
      await api.verdict(id(), seq, verdict, note);
      take(seq, { verdict, note });
      if (verdict === 'wrong')
        notice.tell(t('verdict.told'), { action: t('verdict.told.action'), act: () => (location.hash = '#/answers') });
      else notice.tell(t('save.undone'));
    } catch (error) {
      notice.fail(error);
    }
  }

  return {
    load,
    decorate,
    /** Another conversation is shown: what is known is of the one before. */
    clear: () => {
      given.clear();
      shown.clear();
    },
  };
}
