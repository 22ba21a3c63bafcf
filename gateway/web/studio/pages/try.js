// A conversation of the owner's own with the assistant, beside what each answer was made from.

import { localeOf } from '../../locale.js';
import { kept as keep } from '../../ui/kept.js';
import { button, fill, h, icon } from '../dom.js';
import { patiently } from '../patience.js';
import { TRYING } from '../people.js';
import { composer, thread } from '../talk.js';
import { t } from '../texts.js';
import { verdicts } from '../verdicts.js';
import { inspector } from './try-inspector.js';

const KEPT = 'tertulia.studio.try';
const tab = keep('sessionStorage');

export function tryOut(studio) {
  const { api, client, line, draft, notice } = studio;
  const sources = inspector(studio);
  const said = verdicts(studio, () => conversation?.id);
  const talk = thread({ name: draft.get('assistant.name'), all: true, decorate });
  const anew = button(t('try.new'), { icon: 'again', kind: 'plain', on: { click: begin } });
  const write = composer({
    words: { write: t('try.write'), placeholder: t('try.placeholder') },
    draft: `${studio.person}:try`,
    say,
    typing: (on) => conversation?.typing(on),
    stop: () => conversation?.cancel().catch(notice.fail),
  });
  const state = h('p', { class: 'stand', role: 'status' });
  const node = h(
    'div',
    { class: 'page try' },
    h(
      'div',
      { class: 'try-main' },
      h(
        'header',
        { class: 'try-head' },
        h('div', {}, h('h1', { tabindex: '-1' }, t('try.title')), h('p', { class: 'lede' }, t('try.lede'))),
        anew,
      ),
      talk.element,
      h('div', { class: 'try-foot' }, state, write.element),
    ),
    sources.node,
  );
  // A source's number in the text leads to the passage beside the talk, where it stands with the others.
  talk.list.addEventListener(
    'click',
    (event) => {
      const cited = event.target.closest('.cite button');
      if (!cited) return;
      event.stopPropagation();
      const key = cited.closest('.entry').dataset.key;
      sources.show(
        conversation.entries.find((entry) => entry.key === key),
        { asked: true, passage: Number(cited.textContent) },
      );
    },
    true,
  );

  let conversation = null;
  let stop = null;
  /** What was said before there was a conversation to say it in. */
  let first = [];
  let gone = false;

  const kept = tab.getItem(KEPT);
  if (kept) attach(kept);
  else begin();

  /** Puts the present conversation away; the next one is opened with its first word. */
  function begin(event) {
    detach();
    tab.removeItem(KEPT);
    sources.show(null);
    state.textContent = '';
    write.running = false;
    anew.hidden = true;
    talk.greet(
      h(
        'div',
        { class: 'blank' },
        icon('try'),
        h('p', { class: 'blank-title' }, t('try.empty')),
        h('p', {}, t('try.empty.text')),
        h(
          'ul',
          { class: 'asks' },
          t('try.asks')
            .split('|')
            .map((text) => h('li', {}, button(text, { kind: 'plain', on: { click: () => say(text) } }))),
        ),
      ),
    );
    talk.show(null);
    if (event) write.focus();
  }

  /** Listens no longer to the present conversation; what was said in it is still sent. */
  function detach() {
    stop?.abort();
    conversation?.leave();
    conversation = null;
  }

  function attach(id) {
    said.clear();
    stop = new AbortController();
    const mine = (conversation = client.join(id));
    const on = (target, type, act, once = false) => target.addEventListener(type, act, { signal: stop.signal, once });
    talk.show(mine);
    anew.hidden = false;
    tab.setItem(KEPT, id);
    on(mine, 'event', ({ detail }) => {
      if (detail.type === 'message' && detail.turn) sources.show(mine.entries.find(({ turn }) => turn === detail.turn));
    });
    on(mine, 'caughtup', () => said.load(0, mine.head).catch(() => {}), true);
    for (const type of ['event', 'change', 'caughtup']) on(mine, type, draw);
    on(line, 'change', draw);
    on(mine, 'error', ({ detail }) => {
      // Kept from another tenant, or from a node that was set up anew.
      if (detail.code !== 'unknown_conversation') return;
      const lost = mine.entries.filter(({ status }) => ['sending', 'failed'].includes(status)).map(({ text }) => text);
      begin();
      write.giveBack(lost.join('\n'));
    });
    draw();
  }

  function draw() {
    const { running } = conversation;
    write.running = Boolean(running);
    state.textContent = line.text;
    talk.waiting = line.down;
    if (running) sources.running(running);
  }

  function say(text) {
    write.focus();
    if (conversation) return void conversation.say(text).catch(() => {});
    first.push(text);
    if (first.length === 1) open();
  }

  async function open() {
    try {
      const { id } = await patiently(() => api.open(TRYING, localeOf(...navigator.languages)), (text) => (state.textContent = text));
      attach(id);
      for (const text of first) conversation.say(text).catch(() => {});
      // Whoever went to another page meanwhile has said it all the same, and does not listen.
      if (gone) detach();
    } catch (error) {
      notice.fail(error);
      write.giveBack(first.join('\n'));
    }
    first = [];
  }

  /** Below each answer: how much it was made from, and the way to see it. */
  function decorate(entry, element) {
    element.dataset.key = entry.key;
    if (entry.author !== 'assistant' || entry.status !== 'done') return;
    const label = sources.chip(entry);
    const known = element.querySelector('.made-chip');
    if (known?.textContent === label) return said.decorate(entry, element);
    known?.remove();
    element.append(
      button(label, { icon: 'teach', kind: 'plain small made-chip', on: { click: () => sources.show(entry, { asked: true }) } }),
    );
    said.decorate(entry, element);
  }

  return {
    node,
    leave: () => {
      gone = true;
      detach();
      talk.show(null);
      sources.leave();
    },
  };
}
