// Files to learn: chosen or dropped, single or in folders, read by the node two at a time.
// Invariant: every file that came in ends in a line that says what became of it.

import { typeOf } from '../api.js';
import { button, fill, h, icon, unique } from '../dom.js';
import { t } from '../texts.js';

const AT_ONCE = 2;
/** The node takes no larger file, so it is not even sent. */
const FILE_BYTES_MAX = 20 * 1024 * 1024;
const ACCEPT = '.md,.markdown,.txt,.text,.html,.htm,.pdf,.docx,.pptx,.xlsx,.odt,.epub,.csv,.tsv';

export function fileIntake(studio, onLearned) {
  const abort = new AbortController();
  const waiting = [];
  const items = [];
  let running = 0;

  const input = h('input', {
    type: 'file',
    multiple: true,
    accept: ACCEPT,
    class: 'unseen',
    tabindex: '-1',
    'aria-hidden': 'true',
    on: {
      change: () => {
        take([...input.files].map((file) => ({ file, source: file.name })));
        input.value = '';
      },
    },
  });
  const choose = button(t('files.choose'), { icon: 'upload', kind: 'primary', on: { click: () => input.click() } });
  const heading = unique('files');
  const zone = h(
    'div',
    { class: 'drop' },
    icon('upload'),
    h('p', { class: 'drop-text' }, t('files.drop')),
    choose,
    h('p', { class: 'hint' }, t('files.kinds')),
    input,
  );
  const bar = h('progress', { class: 'bar', hidden: true, 'aria-label': t('files.progress') });
  const summary = h('p', { class: 'summary', role: 'status' });
  const list = h('ul', { class: 'outcomes', 'aria-label': t('files.outcomes') });
  const clear = button(t('files.clear'), {
    kind: 'plain small',
    hidden: true,
    on: {
      click: () => {
        items.length = 0;
        draw();
        choose.focus();
      },
    },
  });
  const node = h(
    'section',
    { class: 'card', 'aria-labelledby': heading },
    h('h2', { id: heading }, t('files.title')),
    zone,
    bar,
    h('div', { class: 'summary-row' }, summary, clear),
    list,
  );

  // Somebody who misses the zone would otherwise leave the page and see the file instead.
  const over = (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    zone.classList.add('over');
  };
  const out = (event) => event.relatedTarget === null && zone.classList.remove('over');
  const drop = async (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    zone.classList.remove('over');
    take(await dropped(event.dataTransfer));
  };
  addEventListener('dragover', over, { signal: abort.signal });
  addEventListener('dragleave', out, { signal: abort.signal });
  addEventListener('drop', drop, { signal: abort.signal });

  function take(files) {
    if (running === 0 && waiting.length === 0) items.length = 0;
    for (const { file, source } of files) {
      const item = { file, source, state: 'waiting' };
      items.push(item);
      if (!typeOf(source)) Object.assign(item, { state: 'skipped', reason: t('files.unknown') });
      else if (file.size === 0) Object.assign(item, { state: 'skipped', reason: t('files.empty') });
      else if (file.size > FILE_BYTES_MAX) Object.assign(item, { state: 'skipped', reason: t('files.large') });
      else waiting.push(item);
    }
    draw();
    for (let n = running; n < AT_ONCE; n += 1) work();
  }

  async function work() {
    if (running >= AT_ONCE) return;
    running += 1;
    for (let item = waiting.shift(); item; item = waiting.shift()) {
      item.state = 'reading';
      draw();
      try {
        Object.assign(item, await studio.api.learnFile(item.source, item.file, abort.signal), { state: 'learned' });
        if (item.changed === false) item.state = 'known';
      } catch (error) {
        if (abort.signal.aborted) return;
        Object.assign(item, { state: 'failed', reason: error.message, again: true });
      }
      draw();
    }
    running -= 1;
    if (running === 0) {
      draw();
      onLearned();
    }
  }

  function again(item) {
    Object.assign(item, { state: 'waiting', reason: undefined });
    waiting.push(item);
    draw();
    work();
  }

  function draw() {
    const busy = running > 0 || waiting.length > 0;
    const done = items.filter(({ state }) => state !== 'waiting' && state !== 'reading').length;
    bar.hidden = !busy;
    bar.max = Math.max(items.length, 1);
    bar.value = done;
    clear.hidden = busy || items.length === 0;
    summary.textContent = items.length === 0 ? '' : busy ? t('files.busy', { done, count: items.length }) : outcome();
    // What needs the person stands first.
    const rank = { failed: 0, skipped: 1, reading: 2, waiting: 3, learned: 4, known: 5 };
    fill(list, [...items].sort((a, b) => rank[a.state] - rank[b.state]).map(line));
  }

  function outcome() {
    const count = (...states) => items.filter(({ state }) => states.includes(state)).length;
    const parts = [];
    const learned = items.filter(({ state }) => state === 'learned');
    if (learned.length)
      parts.push(
        t('files.learned', { count: learned.length, passages: learned.reduce((sum, { passages }) => sum + passages, 0) }),
      );
    if (count('known')) parts.push(t('files.known', { count: count('known') }));
    if (count('failed', 'skipped')) parts.push(t('files.skipped', { count: count('failed', 'skipped') }));
    return parts.join(' ');
  }

  function line(item) {
    const { source, state, reason, passages } = item;
    const drawing = { learned: 'check', known: 'check', failed: 'alert', skipped: 'alert' }[state];
    const words = state === 'learned' ? t('files.state.learned', { count: passages }) : (reason ?? t(`files.state.${state}`));
    return h(
      'li',
      { class: `outcome ${state}` },
      drawing ? icon(drawing) : h('span', { class: state === 'reading' ? 'spinner' : 'pause' }),
      h('span', { class: 'outcome-name', dir: 'auto' }, source),
      h('span', { class: 'outcome-words' }, words),
      item.again
        ? button(t('again'), {
            icon: 'again',
            kind: 'as-link',
            'aria-label': t('files.again', { source }),
            on: { click: () => again(item) },
          })
        : null,
    );
  }

  return { node, busy: () => running > 0, leave: () => abort.abort() };
}

/** All files of a drop, with those in its folders. */
async function dropped(transfer) {
  const entries = [...transfer.items]
    .filter(({ kind }) => kind === 'file')
    .map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const files = [];
  async function walk(entry, path) {
    if (!entry) return;
    if (entry instanceof File) return files.push({ file: entry, source: entry.name });
    // What begins with a dot belongs to a program, not to its reader.
    if (entry.name.startsWith('.')) return;
    const source = path ? `${path}/${entry.name}` : entry.name;
    if (entry.isFile) return files.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), source });
    const reader = entry.createReader();
    // A folder is read in portions; an empty one ends it.
    for (;;) {
      const portion = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (portion.length === 0) return;
      for (const inner of portion) await walk(inner, source);
    }
  }
  for (const entry of entries) await walk(entry, '');
  return files;
}
