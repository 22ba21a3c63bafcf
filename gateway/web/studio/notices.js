// What the studio says beside its pages: short notices, with an undo where there is one, and questions
// before something is destroyed.

import { button, fill, h, icon, unique } from './dom.js';
import { t } from './texts.js';

const SHOWN_MS = 7000;

export function notices() {
  // Filled after it is on the page, so that screen readers hear of the change.
  const list = h('div', { class: 'toasts', role: 'status' });
  let timer;

  function clear() {
    clearTimeout(timer);
    fill(list);
  }

  /** Says something; `action` is a label and `act` what it does, for example to undo. */
  function tell(text, { bad = false, action, act } = {}) {
    clearTimeout(timer);
    const dismiss = h(
      'button',
      { type: 'button', class: 'button bare', 'aria-label': t('dismiss'), on: { click: clear } },
      icon('close'),
    );
    const undo = action
      ? button(action, {
          kind: 'as-link',
          on: {
            click: () => {
              clear();
              act();
            },
          },
        })
      : null;
    const shown = h(
      'div',
      { class: bad ? 'toast bad' : 'toast' },
      icon(bad ? 'alert' : 'check'),
      h('p', {}, text),
      undo,
      dismiss,
    );
    fill(list, shown);
    // A failure stays until it is read; an undo waits for a hand that is already on its way.
    const expire = () => {
      if (shown.matches(':hover') || shown.contains(document.activeElement)) timer = setTimeout(expire, 1000);
      else clear();
    };
    if (!bad) timer = setTimeout(expire, action ? SHOWN_MS * 2 : SHOWN_MS);
  }

  /**
   * Shows a dialog and answers with what its form was closed with; an empty text when it was left. A `firm` one
   * is not left by a click beside it: what is typed there would be lost.
   */
  function ask({ title, body, actions, wide = false, firm = false }) {
    const id = unique('dialog');
    const before = document.activeElement;
    return new Promise((resolve) => {
      const node = h(
        'dialog',
        {
          class: wide ? 'dialog wide' : 'dialog',
          'aria-labelledby': id,
          on: {
            close: () => {
              node.remove();
              if (before?.isConnected) before.focus();
              resolve(node.returnValue);
            },
            // A click beside the dialog falls on the dialog itself.
            click: (event) => !firm && event.target === node && node.close(''),
          },
        },
        h(
          'div',
          { class: 'dialog-inner' },
          h('h2', { id }, title),
          body,
          h(
            'div',
            { class: 'actions' },
            actions((value) => node.close(value)),
          ),
        ),
      );
      document.body.append(node);
      node.showModal();
    });
  }

  /** Asks before something is done that cannot be undone. */
  async function confirm({ title, text, action, danger = true }) {
    const answer = await ask({
      title,
      body: h('p', {}, text),
      actions: (close) => [
        button(t('keep'), { kind: 'plain', autofocus: true, on: { click: () => close('') } }),
        button(action, { kind: danger ? 'danger' : 'primary', on: { click: () => close('yes') } }),
      ],
    });
    return answer === 'yes';
  }

  return { node: list, tell, ask, confirm, clear, fail: (error) => tell(t('problem', { reason: error.message }), { bad: true }) };
}
