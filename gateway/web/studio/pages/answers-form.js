// A small form: questions, and what the assistant is to answer to them.

import { button, field, h, unique } from '../dom.js';
import { t } from '../texts.js';

const QUESTIONS_MAX = 10;
const QUESTION_CHARS_MAX = 300;
const ANSWER_BYTES_MAX = 8 * 1024;
const SLUG_CHARS_MAX = 48;

/**
 * Asks for an answer and saves it; without `id` it is a new one. With `unanswered` it takes that question off
 * the list. Resolves with what was saved, or null where the person went away without.
 */
export async function answerForm({ api, notice }, { id, questions = [], answer = '', unanswered }) {
  const asked = h('textarea', { name: 'questions', rows: Math.max(2, Math.min(6, questions.length + 1)), dir: 'auto', value: questions.join('\n') });
  const said = h('textarea', { name: 'answer', rows: 6, dir: 'auto', value: answer, autofocus: questions.length > 0 });
  const ask = field(t('answer.questions'), asked, { hint: t('answer.questions.hint') });
  const say = field(t('answer.answer'), said, { hint: t('answer.answer.hint') });
  const wrong = h('p', { class: 'wrong', role: 'alert' });
  const name = id ?? unused(questions[0]);
  let saved = null;
  let busy = false;
  let done;

  async function save(event) {
    event.preventDefault();
    const value = { questions: linesOf(asked.value), answer: said.value.trim() };
    const complaints = [questionsWrong(value.questions), answerWrong(value.answer)];
    ask.complain(complaints[0]);
    say.complain(complaints[1]);
    if (complaints[0]) return asked.focus();
    if (complaints[1]) return said.focus();
    if (busy) return;
    busy = true;
    wrong.textContent = '';
    submit.setAttribute('aria-disabled', 'true');
    try {
      saved = (await api.putAnswer(name, { ...value, unanswered })) ?? { id: name, ...value };
      done('yes');
    } catch (error) {
      wrong.textContent = t('problem', { reason: error.message });
    } finally {
      busy = false;
      submit.removeAttribute('aria-disabled');
    }
  }

  const form = h('form', { id: unique('answer'), class: 'answer-form', novalidate: true, on: { submit: save } }, ask, say, wrong);
  const submit = button(t('save'), { kind: 'primary', type: 'submit', form: form.id });
  await notice.ask({
    title: t(id ? 'answer.edit' : 'answer.new'),
    body: form,
    wide: true,
    firm: true,
    actions: (close) => {
      done = close;
      return [button(t('keep'), { kind: 'plain', on: { click: () => close('') } }), submit];
    },
  });
  return saved;
}

function linesOf(text) {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
}

function questionsWrong(lines) {
  if (!lines.length) return t('answer.questions.none');
  if (lines.length > QUESTIONS_MAX) return t('answer.questions.many', { count: QUESTIONS_MAX });
  if (lines.some((line) => [...line].length > QUESTION_CHARS_MAX)) return t('answer.questions.long', { count: QUESTION_CHARS_MAX });
  return '';
}

function answerWrong(text) {
  if (!text) return t('answer.answer.none');
  const over = new TextEncoder().encode(text).length - ANSWER_BYTES_MAX;
  return over > 0 ? t('assistant.over', { count: over }) : '';
}

/** A name for a new answer: what it is about, and something that no other has. */
function unused(question = '') {
  const words = question
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, SLUG_CHARS_MAX)
    .replace(/^-+|-+$/g, '');
  const end = Array.from(crypto.getRandomValues(new Uint8Array(4)), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [words, end].filter(Boolean).join('-');
}
