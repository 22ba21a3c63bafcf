// What the pages that change the profile share: fields bound to the draft, the bar that saves it, and
// the question when somebody else has saved meanwhile.

import { button, field, h, icon, unique } from './dom.js';
import { changed, read, written } from './merge.js';
import { t } from './texts.js';

/** A text field that edits one setting. `check` answers with what is wrong, or nothing. */
export function bound(studio, path, control, { label, hint, check } = {}) {
  const { draft } = studio;
  const node = field(label, control, { hint });
  const show = () => (control.value = draft.get(path) ?? '');
  const verify = () => node.complain(check?.(control.value));
  control.addEventListener('input', () => draft.set(path, control.value));
  // Complaining while somebody still types is rude; taking a complaint back at once is not.
  control.addEventListener('change', verify);
  control.addEventListener('input', () => control.getAttribute('aria-invalid') && verify());
  show();
  node.show = () => {
    show();
    verify();
  };
  node.wrong = () => check?.(control.value);
  node.verify = verify;
  return node;
}

/**
 * The bar below the page. `fields` are the bound ones of this page, checked before anything is saved.
 * Answers with `{node, leave}`.
 */
export function saveBar(studio, fields, onOutside = () => {}) {
  const { draft, notice } = studio;
  const words = h('p', { class: 'save-words' });
  const save = button(t('save'), { kind: 'primary', on: { click: commit } });
  const discard = button(t('save.discard'), { kind: 'plain', on: { click: drop } });
  const node = h('div', { class: 'save-bar', role: 'region', 'aria-label': t('save.bar') }, words, discard, save);
  let saving = false;

  function draw(event) {
    node.hidden = !draft.dirty;
    words.textContent = t('save.unsaved', { fields: changed(draft.saved, draft.draft).map(nameOf).join(', ') });
    if (event?.detail.outside) {
      for (const one of fields) one.show();
      onOutside();
    }
  }

  async function commit() {
    if (saving) return;
    for (const one of fields) one.verify();
    const wrong = fields.find((one) => one.wrong());
    if (wrong) return wrong.control.focus();
    saving = true;
    save.setAttribute('aria-disabled', 'true');
    try {
      const before = await draft.save((conflict) => decide(notice, conflict));
      if (before) notice.tell(t('save.done'), { action: t('undo'), act: () => restore(before) });
    } catch (error) {
      // The node names the setting it did not like; its field is the place to say so.
      const culprit = fields.find((one) => one.path && error.message.includes(one.path));
      if (!culprit) return notice.fail(error);
      culprit.complain(error.message.replace(`\`${culprit.path}\``, nameOf(culprit.path)).replaceAll('\x60', ''));
      culprit.control.focus();
    } finally {
      saving = false;
      save.removeAttribute('aria-disabled');
    }
  }

  async function restore(before) {
    draft.draft = before;
    try {
      await draft.save((conflict) => decide(notice, conflict));
      notice.tell(t('save.undone'));
    } catch (error) {
      notice.fail(error);
    }
  }

  function drop() {
    const lost = draft.draft;
    draft.discard();
    notice.tell(t('save.discarded'), {
      action: t('undo'),
      act: () => {
        for (const path of changed(draft.draft, lost)) draft.set(path, read(lost, path));
        for (const one of fields) one.show();
        onOutside();
      },
    });
  }

  draft.addEventListener('change', draw);
  draw();
  draft.refresh().catch(() => {});
  return { node, leave: () => draft.removeEventListener('change', draw) };
}

/** Shows what both sides changed, and lets the person choose setting by setting. */
async function decide(notice, { merged, conflicts, theirs, base, mine, other }) {
  let decided = merged;
  const rows = conflicts.map((path) => {
    const name = unique('choice');
    const pick = (value, label, checked) =>
      h(
        'label',
        { class: 'choice' },
        h('input', { type: 'radio', name, checked, on: { change: () => (decided = written(decided, path, value)) } }),
        h('span', {}, h('strong', {}, label), spelled(value)),
      );
    return h(
      'fieldset',
      { class: 'conflict' },
      h('legend', {}, nameOf(path)),
      h('p', { class: 'hint' }, t('conflict.before'), ' ', spelled(read(base, path))),
      pick(read(mine, path), t('conflict.mine'), true),
      pick(read(other, path), t('conflict.theirs'), false),
    );
  });
  const taken =
    theirs.length === 0
      ? null
      : h(
          'div',
          {},
          h('p', {}, t(conflicts.length ? 'conflict.also' : 'conflict.only')),
          h(
            'ul',
            { class: 'changes' },
            theirs.map((path) =>
              h(
                'li',
                {},
                h('strong', {}, nameOf(path)),
                ' ',
                spelled(read(base, path)),
                icon('next'),
                h('span', { class: 'unseen' }, t('conflict.to')),
                spelled(read(other, path)),
              ),
            ),
          ),
        );
  const answer = await notice.ask({
    title: t('conflict.title'),
    wide: true,
    body: h('div', {}, h('p', {}, t(conflicts.length ? 'conflict.text' : 'conflict.text.none')), rows, taken),
    actions: (close) => [
      button(t('conflict.cancel'), { kind: 'plain', on: { click: () => close('') } }),
      button(t('conflict.save'), { kind: 'primary', on: { click: () => close('save') } }),
    ],
  });
  return answer === 'save' ? decided : null;
}

function spelled(value) {
  const text = Array.isArray(value) ? value.join(', ') : String(value ?? '');
  return text ? h('q', { class: 'value', dir: 'auto' }, text) : h('em', { class: 'value' }, t('nothing'));
}

function nameOf(path) {
  return t(`setting.${path}`, {}, path);
}
