// The answers that the team has typed: each can be changed and deleted.

import { Markdown } from '../../ui/markdown.js';
import { button, fill, h, icon } from '../dom.js';
import { day, t } from '../texts.js';
import { answerForm } from './answers-form.js';

/** From so many on, finding one by eye takes too long. */
const FILTER_FROM = 8;
/** What is longer than this is shown by its beginning. */
const LONG_CHARS = 400;

export function ownAnswers(studio) {
  const { api, notice } = studio;
  const list = h('ul', { class: 'own-answers', 'aria-label': t('answers.own') });
  const told = h('p', { class: 'soft', role: 'status' }, t('loading'));
  const filter = h('input', { type: 'search', placeholder: t('own.filter'), 'aria-label': t('own.filter'), on: { input: draw } });
  const tools = h('div', { class: 'shelf-tools', hidden: true }, filter);
  const add = button(t('own.add'), { icon: 'plus', on: { click: () => write() } });
  const node = h('section', { 'aria-label': t('answers.own') }, h('div', { class: 'own-head' }, add, tools), told, list);
  let all = [];
  let left = false;

  async function refresh() {
    try {
      all = await api.answers();
      if (left) return;
      told.hidden = true;
      draw();
    } catch (error) {
      if (left) return;
      told.hidden = false;
      fill(told, t('problem', { reason: error.message }), ' ', button(t('again'), { kind: 'as-link', on: { click: refresh } }));
    }
  }

  function draw() {
    tools.hidden = all.length < FILTER_FROM;
    const wanted = filter.value.trim().toLowerCase();
    const found = all
      .filter(({ questions, answer }) => [...questions, answer].some((text) => text.toLowerCase().includes(wanted)))
      .sort((one, other) => Date.parse(other.updated_at) - Date.parse(one.updated_at));
    fill(list, found.length ? found.map(row) : blank());
  }

  function blank() {
    return all.length
      ? h('li', { class: 'soft', role: 'status' }, t('own.none'))
      : h('li', { class: 'blank' }, icon('answers'), h('p', { class: 'blank-title' }, t('own.empty')), h('p', {}, t('own.empty.text')));
  }

  function row(one) {
    const [question, ...others] = one.questions;
    const text = h('div', { class: one.answer.length > LONG_CHARS ? 'body own-text long' : 'body own-text' });
    new Markdown(text).update(one.answer);
    return h(
      'li',
      { class: 'own-answer', data: { id: one.id } },
      h(
        'div',
        { class: 'own-said' },
        h('p', { class: 'question-text', dir: 'auto' }, question),
        others.length ? h('p', { class: 'own-others', dir: 'auto' }, t('own.others', { list: others.join(' · ') })) : null,
        text,
        h('p', { class: 'question-facts' }, t('own.updated', { day: day(one.updated_at) })),
      ),
      h(
        'div',
        { class: 'question-ways' },
        button(t('own.edit'), { 'aria-label': t('own.edit.one', { question }), on: { click: () => write(one) } }),
        button(t('own.delete'), { kind: 'plain', 'aria-label': t('own.delete.one', { question }), on: { click: () => remove(one) } }),
      ),
    );
  }

  async function write(one) {
    const saved = await answerForm(studio, one ?? {});
    if (!saved) return;
    notice.tell(t('answer.saved'), { action: t('answer.saved.action'), act: () => studio.go('#/try') });
    await refresh();
    focusOn(saved.id);
  }

  async function remove(one) {
    const agreed = await notice.confirm({
      title: t('own.confirm', { question: one.questions[0] }),
      text: t('own.confirm.text'),
      action: t('own.delete'),
    });
    if (!agreed) return;
    try {
      await api.deleteAnswer(one.id).catch((error) => {
        // Somebody else was faster; the outcome is the same.
        if (error.code !== 'not_found') throw error;
      });
      await refresh();
      notice.tell(t('own.deleted'), { action: t('undo'), act: () => bringBack(one) });
      add.focus();
    } catch (error) {
      notice.fail(error);
    }
  }

  async function bringBack({ id, questions, answer }) {
    try {
      await api.putAnswer(id, { questions, answer });
      notice.tell(t('save.undone'));
      await refresh();
      focusOn(id);
    } catch (error) {
      notice.fail(error);
    }
  }

  function focusOn(id) {
    [...list.children].find((item) => item.dataset.id === id)?.querySelector('button').focus();
  }

  refresh();
  return { node, leave: () => (left = true) };
}
