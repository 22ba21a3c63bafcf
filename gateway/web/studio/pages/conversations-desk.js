// One conversation, live: what is said, and a person's place in it: take over, answer, hand back, close.

import { naming } from '../../ui/dom.js';
import { kept } from '../../ui/kept.js';
import { button, field, fill, h, icon } from '../dom.js';
import { nameOf } from '../people.js';
import { composer, thread } from '../talk.js';
import { t } from '../texts.js';
import { verdicts } from '../verdicts.js';

const AGENT = 'tertulia.studio.agent';
const device = kept('localStorage');
const AGENT_CHARS_MAX = 80;
/** So often is asked whom it is with: names change, and contacts become one or two, without a word in the log. */
const NAMED_MS = 2500;

/** `at` is the event to show first, where somebody comes for one; else it is the newest. */
export function conversationDesk(studio, id, { at = 0, onChange }) {
  const { api, client, line, notice } = studio;
  /** As whom this person answers: a token says it; with a key they choose. */
  const ownName = () => studio.agent ?? device.getItem(AGENT);
  const conversation = client.join(id);
  const away = new AbortController();
  const title = h('h1', { tabindex: '-1', dir: 'auto' }, t('desk.title'));
  const stand = h('p', { class: 'stand', role: 'status' });
  const actions = h('div', { class: 'desk-actions' });
  const names = { someone: t('desk.title'), write: t('desk.write'), placeholder: t('desk.placeholder') };
  // Who judges replies is the owner.
  const said = studio.agent === null ? verdicts(studio, () => id) : null;
  const talk = thread({ words: names, name: studio.draft.get('assistant.name'), own: 'human', me: ownName, all: true, decorate });
  const foot = h('div', { class: 'desk-foot' });
  const as = h('p', { class: 'hint as' });
  const write = composer({
    words: names,
    draft: `${studio.person}:${id}`,
    say: (text) => conversation.say(text, { agent: conversation.agent }).catch(() => {}),
    typing: (on) => conversation.typing(on),
  });
  const node = h(
    'section',
    { class: 'desk-open', 'aria-label': t('desk.label') },
    h(
      'header',
      { class: 'desk-head' },
      h('a', { class: 'button bare back', href: '#/conversations', 'aria-label': t('desk.back') }, icon('back')),
      h('div', { class: 'desk-who' }, title, stand),
      actions,
    ),
    talk.element,
    foot,
  );

  let busy = false;
  let shown = '';
  /** Whether the log has been here; until then nothing is known of how it stands. */
  let read = conversation.head > 0 && !conversation.replaying;
  /** Why it cannot be shown: it is gone (`erased`), or was never there (`lost`). */
  let gone = '';
  /** From this event on it is known what was said of the replies. */
  let judged = Infinity;

  let asking = new AbortController();
  let next;
  const named = name().then(show);
  const on = (target, type, act, once = false) => target.addEventListener(type, act, { signal: away.signal, once });
  if (read) settle();
  else on(conversation, 'caughtup', settle, true);
  // Earlier ones were fetched: what was said of them as well.
  on(conversation, 'change', ({ detail }) => detail.entry || judge());
  on(conversation, 'error', ({ detail }) => {
    if (detail.temporary) notice.fail(detail);
    else if (detail.code !== 'bad_position') end(detail);
    draw();
  });
  for (const type of ['event', 'change', 'caughtup']) on(conversation, type, draw);
  on(conversation, 'event', ({ detail }) => detail.type === 'message' && !conversation.replaying && name());
  on(document, 'visibilitychange', () => document.hidden || name());
  on(line, 'change', draw);
  draw();

  /** Asks whom it is with, and again after a while. */
  async function name() {
    clearTimeout(next);
    // The newest question has the answer.
    asking.abort();
    const { signal } = (asking = new AbortController());
    try {
      // A page that nobody looks at need not be new.
      if (!document.hidden || !title.title) call(await api.conversation(id, signal));
    } catch {
      // It stays as it was.
    }
    if (!signal.aborted && !gone) next = setTimeout(name, NAMED_MS);
  }

  function call({ contact, contact_name: called }) {
    const found = nameOf(contact, called);
    if (gone || away.signal.aborted || (found === names.someone && contact === title.title)) return;
    names.someone = title.textContent = found;
    title.title = contact;
    talk.refresh();
  }

  function show() {
    // Who has gone meanwhile is not shown it, and nobody what is gone.
    if (!away.signal.aborted && !gone) talk.show(conversation);
  }

  /** What was shown before was erased: its words go from the screen, too, and what was still being written. */
  function end({ code }) {
    if (gone) return;
    gone = read && code === 'unknown_conversation' ? 'erased' : 'lost';
    if (gone === 'lost') return;
    talk.show(null);
    title.textContent = t('desk.title');
    title.removeAttribute('title');
    write.input.value = '';
    write.input.dispatchEvent(new Event('input', { bubbles: true }));
    onChange();
  }

  function decorate(entry, element) {
    element.dataset.seq = entry.seq ?? '';
    said?.decorate(entry, element);
  }

  function judge() {
    const from = conversation.entries.find(({ seq }) => seq)?.seq ?? Infinity;
    if (!said || !read || from >= judged) return;
    const to = Math.min(conversation.head, judged - 1);
    judged = from;
    said.load(from - 1, to).catch(() => {});
  }

  /** A long log is not sent from its start: how it stands today is asked for. */
  async function settle() {
    read = true;
    judge();
    if (at) named.then(() => talk.lead(at));
    if (!conversation.missing) return;
    const view = await api.conversation(id).catch(() => null);
    if (view) Object.assign(conversation, { owner: view.owner, agent: view.agent ?? null, status: view.status, handoff: view.handoff ?? null });
    draw();
  }

  function mine() {
    return conversation.owner === 'human' && conversation.agent === ownName();
  }

  function draw() {
    const { owner, agent, status, running, handoff } = conversation;
    const { text } = line;
    talk.waiting = line.down;
    const look = [owner, agent, status, text, Boolean(running), read, gone, busy, handoff].join();
    // A token changes nothing here; only what is said does, and the thread shows that.
    if (look === shown) return;
    shown = look;
    if (gone) stand.textContent = t(`desk.${gone}`);
    else if (text) stand.textContent = text;
    else if (!read) stand.textContent = t('loading');
    // Whoever had it: closed, it is the assistant's as soon as the customer writes.
    else if (status === 'closed') stand.textContent = t('desk.closed');
    else if (owner === 'human') fill(stand, mine() ? t('desk.mine') : naming((agent) => t('desk.theirs', { agent }), agent));
    else if (handoff) stand.textContent = t(`desk.handoff.${handoff}`, {}, t('desk.handoff.asked'));
    else stand.textContent = t(running ? 'desk.answering' : 'desk.assistant');
    node.dataset.owner = gone ? '' : mine() ? 'me' : owner;
    node.dataset.wanted = String(Boolean(handoff) && owner !== 'human' && status !== 'closed');

    const had = document.activeElement;
    const within = actions.contains(had) || foot.contains(had);
    const typing = foot.contains(write.element);
    const there = read && !gone;
    fill(
      actions,
      there && !mine()
        ? button(t('desk.take'), { icon: 'person', kind: 'primary', 'aria-disabled': busy, on: { click: take } })
        : null,
      there && mine()
        ? button(t('desk.back.hand'), { icon: 'assistant', kind: 'primary', 'aria-disabled': busy, on: { click: handBack } })
        : null,
      there && running && owner === 'assistant'
        ? button(t('desk.stop'), { icon: 'stop', on: { click: () => run(() => conversation.cancel()) } })
        : null,
      there && status === 'open'
        ? button(t('desk.close'), { kind: 'plain', 'aria-disabled': busy, on: { click: close } })
        : null,
    );
    if (there && mine()) {
      const named = h('span', {}, naming((agent) => t('desk.as', { agent }), agent));
      const then = t(status === 'closed' ? 'desk.as.closed' : 'desk.as.hint');
      fill(as, named, ' ', h('span', {}, then));
      // What is moved loses the focus.
      if (!typing) fill(foot, write.element, as);
    } else if (gone) {
      fill(foot, h('p', {}, h('a', { href: '#/conversations' }, t('desk.back'))));
    } else if (read) {
      const closed = status === 'closed';
      const theirs = owner === 'human' && !closed;
      const hint = t(closed ? 'desk.foot.closed' : 'desk.foot');
      fill(foot, h('p', { class: 'hint' }, theirs ? naming((agent) => t('desk.foot.theirs', { agent }), agent) : hint));
    }
    // Who pressed the button that went away stays where they were.
    if (within && !had.isConnected) (mine() ? write.input : (actions.querySelector('button') ?? title)).focus();
  }

  async function run(act) {
    if (busy) return false;
    busy = true;
    draw();
    try {
      await act();
      onChange();
      return true;
    } catch (error) {
      notice.tell(
        error.code === 'wrong_state' ? t('desk.taken', { agent: conversation.agent ?? '' }) : t('problem', { reason: error.message }),
        { bad: true },
      );
      return false;
    } finally {
      busy = false;
      draw();
    }
  }

  async function take() {
    const agent = ownName() ?? (await askName(notice));
    if (!agent) return;
    // Who has a name now has words of their own, of earlier days too.
    talk.refresh();
    if (await run(() => conversation.takeOver({ agent }))) setTimeout(() => foot.contains(write.input) && write.input.focus());
  }

  function handBack() {
    return run(() => conversation.handBack({ agent: conversation.agent }));
  }

  async function close() {
    // Closing loses nothing: the next word reopens it. It needs no question.
    if (await run(() => conversation.close())) notice.tell(t('desk.closed.done'));
  }

  return {
    node,
    focus: () => title.focus(),
    leave: () => {
      away.abort();
      asking.abort();
      clearTimeout(next);
      conversation.leave();
      talk.show(null);
    },
  };
}

/** Customers see who answers them, so the name is the person's own choice. */
async function askName(notice) {
  const input = h('input', { type: 'text', name: 'agent', autocomplete: 'given-name', maxlength: AGENT_CHARS_MAX });
  const name = field(t('agent.label'), input, { hint: t('agent.hint') });
  let done;
  const form = h(
    'form',
    {
      novalidate: true,
      on: {
        submit: (event) => {
          event.preventDefault();
          if (input.value.trim()) done('yes');
          else name.complain(t('agent.empty'));
        },
      },
    },
    name,
  );
  const answer = await notice.ask({
    title: t('agent.title'),
    body: form,
    actions: (close) => {
      done = close;
      return [
        button(t('agent.cancel'), { kind: 'plain', on: { click: () => close('') } }),
        button(t('desk.take'), { kind: 'primary', on: { click: () => form.requestSubmit() } }),
      ];
    },
  });
  if (answer !== 'yes') return null;
  // As the node writes it: else one's own words would be another's.
  const agent = input.value.normalize('NFC').replace(/\p{Zs}/gu, ' ').trim();
  device.setItem(AGENT, agent);
  return agent;
}
