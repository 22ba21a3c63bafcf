// What the assistant has learned: files, and web sites with their pages, each to be forgotten.

import { button, fill, h, icon, unique } from '../dom.js';
import { documentAddress, shortOf } from '../left-out.js';
import { day, size, t } from '../texts.js';
import { gist, report } from './teach-report.js';

/** From so many documents on, finding one by eye takes too long. */
const FILTER_FROM = 8;

export function shelf(studio) {
  const heading = unique('shelf');
  const body = h('div', { class: 'shelf' });
  const count = h('p', { class: 'shelf-count' });
  const filter = h('input', {
    type: 'search',
    placeholder: t('shelf.filter'),
    'aria-label': t('shelf.filter'),
    on: { input: () => draw() },
  });
  const tools = h('div', { class: 'shelf-tools', hidden: true }, filter);
  const node = h(
    'section',
    { class: 'learned', 'aria-labelledby': heading },
    h('div', { class: 'section-head' }, h('h2', { id: heading, tabindex: '-1' }, t('shelf.title')), count, tools),
    body,
  );
  const shown = { node, refresh, forget: forgetOne, focus, leave: () => (left = true), onCount: () => {}, onAgain: () => {} };
  const open = new Set();
  let documents = null;
  let sites = [];
  let left = false;

  fill(body, h('p', { class: 'soft' }, t('loading')));

  async function refresh() {
    try {
      [documents, sites] = await Promise.all([studio.api.documents(), studio.api.sites()]);
      if (!left) draw();
    } catch (error) {
      if (!left && !documents)
        fill(
          body,
          h('p', { class: 'remark bad', role: 'alert' }, icon('alert'), h('span', {}, t('problem', { reason: error.message }))),
          button(t('again'), { icon: 'again', on: { click: refresh } }),
        );
      else if (!left) studio.notice.fail(error);
    }
  }

  function draw() {
    shown.onCount(documents.length);
    tools.hidden = documents.length < FILTER_FROM;
    count.textContent = documents.length
      ? t('shelf.count', { count: documents.length, passages: documents.reduce((sum, { passages }) => sum + passages, 0) })
      : '';
    if (documents.length === 0 && !sites.some(isEmpty)) {
      fill(
        body,
        h(
          'div',
          { class: 'blank' },
          icon('teach'),
          h('p', { class: 'blank-title' }, t('shelf.empty')),
          h('p', {}, t('shelf.empty.text')),
        ),
      );
      return;
    }
    const wanted = filter.value.trim().toLowerCase();
    const found = documents.filter(({ source }) => source.toLowerCase().includes(wanted));
    const files = found.filter(({ source }) => !hostOf(source));
    const hosts = grouped(found);
    for (const { url } of sites.filter(isEmpty)) if (url.toLowerCase().includes(wanted) && !hosts.has(hostOf(url))) hosts.set(hostOf(url), []);
    fill(
      body,
      found.length + hosts.size === 0 ? h('p', { class: 'soft', role: 'status' }, t('shelf.none')) : null,
      files.length ? group(t('shelf.files'), 'file', files, null) : null,
      [...hosts].map(([host, pages]) => group(host, 'globe', pages, host)),
    );
  }

  function group(name, drawing, rows, host) {
    // A site may have hundreds of pages: they stay folded until somebody asks.
    const folded = host !== null && rows.length > 3 && !open.has(host) && !filter.value;
    const details = h(
      'details',
      { class: 'group', open: !folded, on: { toggle: () => (details.open ? open.add(host) : open.delete(host)) } },
      h(
        'summary',
        {},
        icon(drawing),
        h('span', { class: 'group-name', dir: 'auto' }, name),
        h('span', { class: 'group-count' }, t(host ? 'shelf.pages' : 'shelf.documents', { count: rows.length })),
      ),
      // Who forgets a site's only page means the site: it would be learned again when it is due.
      rows.length === 0 ? null : h('ul', { class: 'documents' }, rows.map((one) => row(one, rows.length === 1 ? of(host) : []))),
      of(host).map(schedule),
      rows.length > 1
        ? h(
            'div',
            { class: 'group-foot' },
            button(t('shelf.forgetall', { name }), {
              kind: 'as-link danger-text',
              on: { click: () => forget(rows, name, of(host)) },
            }),
          )
        : null,
    );
    return details;
  }

  function of(host) {
    return host ? sites.filter(({ url }) => hostOf(url) === host) : [];
  }

  /** When a site is read again, and a way to have it read now. */
  function schedule(site) {
    const when = site.next_at ? t('shelf.next', { url: site.url, day: day(site.next_at) }) : t('shelf.once', { url: site.url });
    return [
      reading(site),
      h(
        'div',
        { class: 'group-foot schedule' },
        h('span', { class: 'document-facts', dir: 'auto' }, when),
        // The others of this host stay as they are.
        isEmpty(site)
          ? button(t('shelf.remove'), { kind: 'plain small', 'aria-label': t('shelf.remove.one', { url: site.url }), on: { click: () => remove(site) } })
          : null,
        button(t('shelf.again'), {
          icon: 'again',
          kind: 'plain small',
          'aria-label': t('shelf.again.one', { url: site.url }),
          on: { click: () => shown.onAgain(site) },
        }),
      ),
    ];
  }

  /** How the last reading went, where there is something to tell. */
  function reading(site) {
    const { last } = site;
    const told = last && last.state !== 'running' ? report(last, { raise: (more) => shown.onAgain(site, more) }) : null;
    if (!told) return null;
    const key = `reading ${site.url}`;
    const details = h(
      'details',
      { class: 'reading', open: open.has(key), on: { toggle: () => (details.open ? open.add(key) : open.delete(key)) } },
      h(
        'summary',
        {},
        icon('next'),
        h('span', {}, t('shelf.reading', { day: day(last.ended_at ?? last.started_at) })),
        h('span', { class: 'document-facts' }, gist(last)),
      ),
      told,
    );
    return details;
  }

  function row(one, whole) {
    const { source, passages, bytes, learned_at: at } = one;
    const name = hostOf(source) ? shortOf(source) : source;
    return h(
      'li',
      { class: 'document' },
      h('span', { class: 'document-name', dir: 'auto' }, h('a', { href: documentAddress(source), data: { source } }, name)),
      h('span', { class: 'document-facts' }, [t('shelf.passages', { count: passages }), size(bytes), day(at)].join(' · ')),
      button(t('shelf.forget'), {
        kind: 'plain small',
        'aria-label': t('shelf.forget.one', { source }),
        on: { click: () => forget([one], source, whole) },
      }),
    );
  }

  /** The keyboard comes back to the document that was looked at, or to the list where that is gone. */
  function focus(source) {
    const link = [...body.querySelectorAll('.document-name a')].find((one) => one.dataset.source === source);
    (link ?? node.querySelector('h2')).focus({ preventScroll: Boolean(link) });
  }

  /** Takes off the list what nothing was learned from: nothing is lost, so nobody is asked. */
  async function remove({ url }) {
    try {
      await studio.api.forgetSite(url);
      studio.notice.tell(t('shelf.removed', { url }));
    } catch (error) {
      // Somebody else was faster; the outcome is the same.
      if (error.code !== 'not_found') studio.notice.fail(error);
    }
    await refresh();
    node.querySelector('h2').focus();
  }

  /** Forgets a document that is shown alone. */
  async function forgetOne(source) {
    const host = hostOf(source);
    const alone = host && documents?.filter((one) => hostOf(one.source) === host).length === 1;
    return forget([{ source }], source, alone ? of(host) : []);
  }

  /** The node keeps no copy to bring back, so the person is asked first. Says whether it was done. */
  async function forget(rows, name, whole = []) {
    const one = rows.length === 1;
    const agreed = await studio.notice.confirm({
      title: one ? t('shelf.confirm', { source: name }) : t('shelf.confirm.all', { count: rows.length, name }),
      text: t('shelf.confirm.text'),
      action: one ? t('shelf.forget') : t('shelf.confirm.action', { count: rows.length }),
    });
    if (!agreed) return false;
    let gone = 0;
    try {
      // A site that is only emptied would be learned again when it is due.
      for (const { url } of whole) await studio.api.forgetSite(url);
      // Its pages have gone with it.
      const left = whole.length ? new Set((await studio.api.documents()).map(({ source }) => source)) : null;
      for (const { source } of rows) {
        gone += 1;
        if (left && !left.has(source)) continue;
        await studio.api.forget(source).catch((error) => {
          // Somebody else was faster; the outcome is the same.
          if (error.code !== 'not_found') throw error;
        });
      }
      await refresh();
      studio.notice.tell(one ? t('shelf.forgotten', { source: name }) : t('shelf.forgotten.all', { count: gone }));
      node.querySelector('h2').focus();
      return true;
    } catch (error) {
      studio.notice.fail(error);
      await refresh();
      node.querySelector('h2').focus();
      return false;
    }
  }

  return shown;
}

function hostOf(source) {
  return /^https?:\/\//.test(source) && URL.canParse(source) ? new URL(source).host : null;
}

/** Whether nothing was learned from a site, for all that is known. */
function isEmpty({ pages, last }) {
  return pages === 0 && last?.state !== 'running';
}

function grouped(documents) {
  const groups = new Map();
  for (const one of documents) {
    const host = hostOf(one.source);
    if (host) groups.set(host, [...(groups.get(host) ?? []), one]);
  }
  return groups;
}
