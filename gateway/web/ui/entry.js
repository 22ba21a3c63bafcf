// One entry of a conversation on the page: who said it, the words, where they are from, how it went.

import { h, icon, naming } from './dom.js';
import { Markdown, plain } from './markdown.js';
import { isOwn, titleOf } from './source.js';
import { Sources } from './sources.js';
import { timeOf } from './time.js';

const ENDS = { cancelled: 'stopped', incomplete: 'cut', length: 'length', filtered: 'filtered' };
/** Why something was not sent, in words of the page: by the code of the refusal. */
const REASONS = {
  unauthorized: 'unsentUnknown', token_expired: 'unsentUnknown', forbidden: 'unsentUnknown', unknown_conversation: 'gone',
  origin_refused: 'ended', tenant_disabled: 'ended', too_large: 'tooLong', closed: 'unsentClosed',
};
/** Ends after which there may be a better one, although there are words. */
const RETRIED = new Set(['cancelled', 'filtered']);
/** Up to so long is "a few minutes"; what takes longer has a time. */
const FEW_MINUTES_S = 600;
const CHANGES = { taken_over: 'takenOver', handed_back: 'handedBack', closed: 'closed', reopened: 'reopened' };

export class Entry {
  #options;
  #markdown = null;
  #shown = null;
  /** The numbers of passages that the text names. */
  #cited = new Set();

  constructor(entry, options) {
    this.#options = options;
    // A reply's paragraphs have directions of their own.
    this.body = h('div', { class: 'body', dir: entry.author === 'assistant' ? null : 'auto' });
    this.element = entry.kind === 'message' ? h('li', {}) : h('li', { class: 'change' }, this.body);
    if (entry.kind === 'message') {
      this.who = h('p', { class: 'who' });
      this.sources = new Sources({ words: options.words, all: options.all });
      this.note = h('p', { class: 'note', hidden: true });
      this.element.append(this.who, this.body, this.sources.element, this.note);
    }
    this.update(entry);
  }

  update(entry) {
    this.entry = entry;
    const { words, mine, decorate } = this.#options;
    if (entry.kind !== 'message') {
      this.body.replaceChildren(...naming((name) => words(CHANGES[entry.kind], { name }), entry.agent));
    } else {
      this.element.className = `entry by-${entry.author} ${entry.status}${mine(entry) ? ' own' : ''}${this.element.matches('.led') ? ' led' : ''}`;
      this.#name(entry);
      if (entry.author === 'assistant') this.#reply(entry);
      else if (this.#shown !== entry.text) this.body.replaceChildren(plain(entry.text));
      this.#shown = entry.text;
      this.#remark(entry);
    }
    decorate?.(entry, this.element);
  }

  #name(entry) {
    const { words, name, own } = this.#options;
    const who = { contact: own === 'contact' ? words('you') : words('someone'), assistant: name, human: entry.agent ?? words('agent') }[entry.author] ?? '';
    const at = entry.at && new Date(entry.at);
    const label = `${who}|${entry.at}`;
    if (this.who.dataset.label === label) return;
    this.who.dataset.label = label;
    this.who.replaceChildren(
      h('span', { class: 'name', dir: 'auto' }, who),
      entry.author === 'human' && own === 'contact' ? h('span', { class: 'role' }, words('agent')) : '',
      at ? h('time', { datetime: entry.at, title: at.toLocaleString(words.locale) }, at.toLocaleTimeString(words.locale, { hour: '2-digit', minute: '2-digit' })) : '');
  }

  #reply(entry) {
    const { words, name } = this.#options;
    // Blanks are what a model thought aloud: nothing was said yet.
    const waits = entry.status === 'streaming' && !entry.text.trim();
    this.element.setAttribute('aria-busy', String(entry.status === 'streaming'));
    if (waits) {
      this.#markdown = null;
      this.body.replaceChildren(h('span', { class: 'dots', role: 'img', 'aria-label': words('thinking', { name }) }, h('i'), h('i'), h('i')));
      return;
    }
    // The finished reply is built once more, whole: only now its sources are known.
    const finished = entry.status === 'done';
    const anew = finished && this.finished !== entry.seq;
    if (!this.#markdown || anew) {
      this.#cited = new Set();
      this.body.replaceChildren();
      this.#markdown = new Markdown(this.body, { words, cite: (n) => this.#cite(n, finished ? entry.sources : null) });
    }
    this.finished = finished ? entry.seq : undefined;
    this.#markdown.update(entry.text);
    if (anew) this.sources.show(entry.sources ?? [], this.#cited);
  }

  /** A number in the text: while the reply runs it only looks like what it will be. */
  #cite(n, sources) {
    if (!sources) return h('sup', { class: 'cite' }, String(n));
    const source = sources.find((one) => one.n === n);
    if (!source) return null;
    this.#cited.add(n);
    const { words } = this.#options;
    const title = isOwn(source) ? words('ownAnswer') : titleOf(source);
    const open = ({ currentTarget }) => this.sources.open(n, currentTarget);
    return h('sup', { class: 'cite' }, h('button', { type: 'button', 'aria-label': `${words('source', { n })}: ${title}`, title, onclick: open }, String(n)));
  }

  #remark(entry) {
    const { words, own, retry, drop, again, person } = this.#options;
    const answerless = unanswered(entry);
    this.retries = own === 'contact' && retryable(entry);
    const remark = answerless && !ENDS[entry.end] ? this.#failed(entry) : this.#standing(entry);
    // Who is not told an answer is led to somebody who knows.
    const leads = own === 'contact' && entry.status === 'done' && Boolean(entry.made?.unanswered);
    const label = `${entry.status}|${remark}|${this.retries}|${leads}`;
    const offline = this.retries && this.#options.waiting;
    const button = this.note.querySelector('.again');
    if (button) button.disabled = offline;
    if (this.note.dataset.label === label) return;
    this.note.dataset.label = label;
    this.note.hidden = !remark && !leads;
    const link = (text, act, more = {}) => h('button', { type: 'button', class: 'link', ...more, onclick: act }, words(text));
    this.note.replaceChildren(
      entry.status === 'failed' || answerless ? icon('warning') : '',
      remark ? h('span', { dir: 'auto' }, remark) : '',
      entry.status !== 'failed' ? '' : h('span', { class: 'ways' },
        link('again', () => retry(entry.ref)?.catch(() => {})), link('discard', () => drop(entry.ref))),
      this.retries ? link('askAgain', () => again(entry), { class: 'link again', disabled: offline }) : '',
      leads ? link('askPerson', () => person(entry), { class: 'link person' }) : '');
  }

  /** That there is no answer, and when there may be one. */
  #failed({ made, at }) {
    const { words } = this.#options;
    const seconds = made?.retry_after;
    if (!seconds) return words('failed');
    const until = Date.parse(at) + seconds * 1000;
    return seconds > FEW_MINUTES_S && until > Date.now() ? words('failedUntil', { time: timeOf(until, words.locale) }) : words('failedLater');
  }

  /** How it stands with what is not simply there. */
  #standing({ status, error, retryAt, end }) {
    const { words, waiting } = this.#options;
    if (status === 'done') return ENDS[end] && words(ENDS[end]);
    if (status === 'failed') return [words('unsent'), REASONS[error?.code] && words(REASONS[error.code])].filter(Boolean).join(' ');
    if (status !== 'sending') return null;
    if (waiting) return words('waiting');
    if (!retryAt) return words('sending');
    return words('held', { time: timeOf(retryAt, words.locale) });
  }
}

/** A reply that may turn out otherwise when it is asked for once more. */
function retryable(entry) {
  return unanswered(entry) ? !entry.broken : entry.author === 'assistant' && entry.status === 'done' && RETRIED.has(entry.end);
}

/** A reply without an answer, or with a part of one, however that came about; one that somebody stopped is none. */
function unanswered({ author, status, end, text }) {
  return author === 'assistant' && status === 'done' && end !== 'cancelled' && (end === 'failed' || end === 'incomplete' || !text.trim());
}
