// The first thing an owner sees: where to find the key, and a place to put it.

import { Api } from './api.js';
import { field, h } from './dom.js';
import { keys } from './keys.js';
import { t } from './texts.js';

/** `onEnter` gets the API and what the key or token opens. */
export function signIn({ trouble, onEnter }) {
  const input = h('input', {
    type: 'password',
    name: 'key',
    autocomplete: 'current-password',
    spellcheck: 'false',
    autocapitalize: 'off',
    required: true,
  });
  const key = field(t('signin.key'), input, { hint: t('signin.hint') });
  const remember = h('input', { type: 'checkbox', name: 'remember' });
  const submit = h('button', { type: 'submit', class: 'button primary wide' }, t('signin.action'));
  const problem = h('p', { class: 'remark bad', role: 'alert' }, trouble ?? '');

  async function enter(event) {
    event.preventDefault();
    const text = input.value.trim();
    problem.textContent = '';
    key.complain();
    if (!text) {
      key.complain(t('signin.empty'));
      input.focus();
      return;
    }
    submit.setAttribute('aria-disabled', 'true');
    const api = new Api(text);
    try {
      const opened = await api.opens();
      keys.keep(text, remember.checked);
      onEnter(api, opened);
    } catch (error) {
      submit.removeAttribute('aria-disabled');
      const reason =
        error.status === 401
          ? t(api.isAgents ? 'signin.wrong.token' : 'signin.wrong')
          : error.status === 403
            ? t('signin.forbidden', { reason: error.message })
            : t('problem', { reason: error.message });
      key.complain(reason);
      input.focus();
      input.select();
    }
  }

  return h(
    'main',
    { class: 'signin' },
    h(
      'div',
      { class: 'card' },
      h('img', { src: import.meta.resolve('../ui/icon.svg'), alt: '', width: 44, height: 44 }),
      h('h1', {}, t('signin.title')),
      h('p', { class: 'lede' }, t('signin.lede')),
      problem,
      h(
        'form',
        { novalidate: true, on: { submit: enter } },
        // Password managers keep a password under a name.
        h('input', { type: 'text', name: 'username', autocomplete: 'username', value: location.host, hidden: true }),
        key,
        h('label', { class: 'check' }, remember, h('span', {}, t('signin.remember'), h('small', {}, t('signin.remember.hint')))),
        submit,
      ),
    ),
  );
}
