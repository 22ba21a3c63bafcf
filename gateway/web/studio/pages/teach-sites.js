// A web site to learn: its address, how far to follow it, and what became of its pages.
// Invariant: a job that runs is found again after a reload, on any device; the node works on meanwhile.

import { field, fill, h, icon, unique } from '../dom.js';
import { t } from '../texts.js';
import { report } from './teach-report.js';

const POLL_MS = 1000;
const PAGES = { max: 2000, usual: 200 };
const DEPTH = { max: 50, usual: 5 };
/** Hours from one reading to the next. */
const AGAIN = ['', '24', '168'];

export function siteIntake(studio, onLearned) {
  const abort = new AbortController();
  const heading = unique('site');
  const input = h('input', {
    type: 'url',
    inputmode: 'url',
    autocomplete: 'url',
    placeholder: 'https://shop.example',
    spellcheck: 'false',
    autocapitalize: 'off',
  });
  const address = field(t('site.address'), input, { hint: t('site.hint') });
  const pages = h('input', { type: 'number', min: 1, max: PAGES.max, value: PAGES.usual, inputmode: 'numeric' });
  const depth = h('input', { type: 'number', min: 0, max: DEPTH.max, value: DEPTH.usual, inputmode: 'numeric' });
  const every = h(
    'select',
    {},
    AGAIN.map((value) => h('option', { value }, t(`site.again.${value || 'never'}`))),
  );
  const submit = h('button', { type: 'submit', class: 'button primary' }, icon('globe'), h('span', {}, t('site.read')));
  const outcome = h('div', { class: 'site-outcome' });
  const said = h('p', { class: 'summary', role: 'status' });
  const form = h(
    'form',
    { novalidate: true, on: { submit: start } },
    address,
    field(t('site.again'), every),
    h(
      'details',
      { class: 'more' },
      h('summary', {}, t('site.more')),
      h('div', { class: 'pair' }, field(t('site.pages'), pages), field(t('site.depth'), depth, { hint: t('site.depth.hint') })),
    ),
    submit,
  );
  const node = h(
    'section',
    { class: 'card', 'aria-labelledby': heading },
    h('h2', { id: heading }, t('site.title')),
    form,
    said,
    outcome,
  );

  let running = false;
  resume();

  async function resume() {
    const sites = await studio.api.sites().catch(() => []);
    const last = sites.map((site) => site.last).find((job) => job?.state === 'running');
    if (last && !running && !abort.signal.aborted) follow({ job: last.id, url: last.url });
  }

  async function start(event) {
    event.preventDefault();
    if (running) return;
    const url = addressOf(input.value);
    address.complain(url ? undefined : t('site.bad'));
    if (!url) return input.focus();
    input.value = url;
    const limits = {
      pages: pages.valueAsNumber || PAGES.usual,
      depth: Number.isNaN(depth.valueAsNumber) ? DEPTH.usual : depth.valueAsNumber,
    };
    begin(url, { ...limits, hours: Number(every.value) || undefined });
  }

  async function begin(url, limits) {
    if (running) return;
    fill(outcome);
    busy(true);
    said.textContent = t('site.starting');
    try {
      await follow({ job: await studio.api.readSite(url, limits), url });
    } catch (error) {
      busy(false);
      said.textContent = '';
      address.complain(error.message);
      input.focus();
    }
  }

  async function follow({ job, url }) {
    busy(true);
    for (let misses = 0; !abort.signal.aborted;) {
      let state;
      try {
        state = await studio.api.job(job, abort.signal);
        misses = 0;
      } catch (error) {
        if (abort.signal.aborted) return;
        misses += 1;
        // A node that was restarted has forgotten the job; a line that is down comes back.
        if (error.status === 404 || misses > 20) {
          finish(t('site.lost', { url }));
          return onLearned();
        }
        said.textContent = t('site.waiting');
        await pause(POLL_MS * Math.min(misses, 5));
        continue;
      }
      const read = state.pages_read ?? 0;
      if (state.state === 'running') {
        said.textContent = read
          ? [
              t('site.progress', { count: read, url }),
              state.pages_waiting ? t('site.more.waiting', { count: state.pages_waiting }) : '',
            ].join(' ')
          : t('site.starting');
        await pause(POLL_MS);
        continue;
      }
      tell(state, url, read);
      return onLearned();
    }
  }

  function tell(job, url, read) {
    const { state, learned = {}, error } = job;
    const { changed = 0, unchanged = 0, removed = 0 } = learned;
    if (state === 'failed') finish(t('site.failed', { url, reason: error ?? '' }));
    else if (changed + unchanged === 0) finish(t('site.nothing', { url, count: read }));
    else {
      const parts = [t('site.done', { count: changed, url })];
      if (unchanged) parts.push(t('site.unchanged', { count: unchanged }));
      if (removed) parts.push(t('site.removed', { count: removed }));
      // What a bound has cut is told below, with what to do about it.
      if (error && !job.limits?.length) parts.push(error);
      finish(parts.join(' '), true);
    }
    outcome.append(report(job, { raise: (more) => raise(job.url ?? url, more) }) ?? '');
  }

  /** Reads a site once more, as it was read before but for some bounds. */
  async function raise(url, more) {
    try {
      const site = (await studio.api.sites()).find((one) => one.url === url);
      await again(site ?? { url }, more);
    } catch (error) {
      studio.notice.fail(error);
    }
  }

  function again({ url, pages_max: pages, depth_max: depth, queries_max: queries, every_hours: hours }, more = {}) {
    node.scrollIntoView({ block: 'nearest' });
    return begin(url, { pages, depth, queries, hours, ...more });
  }

  function finish(text, good = false) {
    busy(false);
    said.textContent = '';
    fill(outcome, note(text, good));
  }

  function busy(on) {
    running = on;
    form.classList.toggle('busy', on);
    submit.setAttribute('aria-disabled', String(on));
    said.classList.toggle('spinning', on);
  }

  return {
    node,
    again,
    leave: () => abort.abort(),
  };

  function pause(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}

function note(text, good = false) {
  return h(
    'p',
    { class: good ? 'remark good' : 'remark bad', role: 'status' },
    icon(good ? 'check' : 'alert'),
    h('span', {}, text),
  );
}

/** The address as it was meant: people leave `https://` out. */
function addressOf(text) {
  const trimmed = text.trim();
  if (!trimmed) return null;
  try {
    const url = new URL(/^[a-z]+:\/\//i.test(trimmed) ? trimmed : `https://${trimmed}`);
    return /^https?:$/.test(url.protocol) && (url.hostname.includes('.') || url.hostname === 'localhost') ? url.href : null;
  } catch {
    return null;
  }
}
