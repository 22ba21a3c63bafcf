// The node's REST routes as the owner uses them, with the tenant's API key or an agent's token, and the connection on which its
// conversations are heard.
// Invariant: the key leaves this module in the Authorization header and in the client's first frame only, and only to
// the node.

import { Tertulia } from '../tertulia.js';

/** A request that was not answered as hoped. `code` is the node's, or `offline` when nothing came. */
export class ApiError extends Error {
  constructor(message, { status = 0, code = 'offline', retryAfter } = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** A request that nobody answers for so long is given up; one that carries a file has longer. */
const PATIENCE_MS = 20_000;
const FILE_PATIENCE_MS = 300_000;
/** How every token begins, and no key does. */
const TOKEN = 'v4.local.';
/** The close code of a socket whose tenant is disabled. */
const DISABLED = 4504;

const TYPES = {
  md: 'text/markdown',
  markdown: 'text/markdown',
  txt: 'text/plain',
  text: 'text/plain',
  html: 'text/html',
  htm: 'text/html',
  pdf: 'application/pdf',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  odt: 'application/vnd.oasis.opendocument.text',
  epub: 'application/epub+zip',
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
};

/** The type of a file by the end of its name; undefined when it cannot be learned. */
export function typeOf(name) {
  return TYPES[/\.([^./]+)$/.exec(name)?.[1]?.toLowerCase()];
}

export class Api extends EventTarget {
  #key;

  /** Fires `refused` when the key stops being valid. */
  constructor(key, origin = location.origin) {
    super();
    this.#key = key;
    this.origin = origin;
    /** Whether it is an agent's, who sees conversations and nothing else. */
    this.isAgents = key.startsWith(TOKEN);
  }

  /** What the key or token opens: the tenant, and for an agent's token the agent. */
  async opens() {
    return this.isAgents ? agentsView(await this.#call('GET', '/v1/agents')) : { tenant: await this.tenant() };
  }

  /** A client with the same key. `storage` keeps what is said until it is answered. */
  connect(storage) {
    const client = new Tertulia({ url: this.origin, token: this.#key, storage });
    client.addEventListener('state', ({ detail: { state, code, error } }) => {
      if (!['refused', 'closed'].includes(state) || !error) return;
      this.judge(code === DISABLED ? new ApiError(error.message, { code: 'tenant_disabled' }) : error);
    });
    return client;
  }

  async #call(method, path, { json, raw, type, signal } = {}) {
    const headers = { Authorization: `Bearer ${this.#key}` };
    if (json !== undefined) headers['Content-Type'] = 'application/json';
    if (type) headers['Content-Type'] = type;
    const patience = AbortSignal.timeout(raw ? FILE_PATIENCE_MS : PATIENCE_MS);
    let response;
    let text;
    try {
      const body = json === undefined ? raw : JSON.stringify(json);
      const until = signal ? AbortSignal.any([signal, patience]) : patience;
      response = await fetch(this.origin + path, { method, headers, body, signal: until, cache: 'no-store' });
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError('the node does not answer');
    }
    let answer = null;
    try {
      answer = text ? JSON.parse(text) : null;
    } catch {
      // A proxy's own page; its status says enough.
    }
    if (response.ok) return answer;
    const { code = 'internal', message, retry_after } = answer?.error ?? {};
    const error = new ApiError(message ?? `HTTP ${response.status}`, {
      status: response.status,
      code,
      retryAfter: retry_after,
    });
    this.judge(error);
    throw error;
  }

  /** Tells when a failure, here or on the client's socket, means that the key is no longer taken. */
  judge(error) {
    if (error.status === 401 || ['unauthorized', 'token_expired', 'tenant_disabled'].includes(error.code))
      this.dispatchEvent(new CustomEvent('refused', { detail: error }));
  }

  tenant() {
    return this.#call('GET', '/v1/tenant');
  }

  putTenant(version, profile) {
    return this.#call('PUT', '/v1/tenant', { json: { version, profile } });
  }

  async documents() {
    const all = [];
    let query = '';
    do {
      const { documents, next } = await this.#call('GET', `/v1/knowledge${query}`);
      all.push(...documents);
      query = next ? `?after=${encodeURIComponent(next)}` : '';
    } while (query);
    return all.sort((a, b) => (a.source < b.source ? -1 : Number(a.source > b.source)));
  }

  /** A document as it was learned: what is known of it, and a page of its passages. */
  document(source, { after = 0, limit = 50, signal } = {}) {
    const query = new URLSearchParams({ source, after: String(after), limit: String(limit) });
    return this.#call('GET', `/v1/knowledge/document?${query}`, { signal });
  }

  /** All of its text, as Markdown. */
  async markdown(source, signal) {
    const pieces = [];
    let after = 0;
    do {
      const query = new URLSearchParams({ source, after: String(after) });
      const { markdown, next } = await this.#call('GET', `/v1/knowledge/document/markdown?${query}`, { signal });
      pieces.push(markdown);
      after = next;
    } while (after);
    return pieces.join('');
  }

  forget(source) {
    return this.#call('DELETE', `/v1/knowledge?source=${encodeURIComponent(source)}`);
  }

  /** Teaches a file. */
  learnFile(source, file, signal) {
    const path = `/v1/knowledge/files?source=${encodeURIComponent(source)}`;
    return this.#call('POST', path, { raw: file, type: typeOf(source), signal });
  }

  /** Begins to read a web site, and again every so many hours if asked; answers with the job's id. */
  async readSite(url, { pages, depth, queries, hours } = {}) {
    const json = { url, pages_max: pages, depth_max: depth, queries_max: queries, every_hours: hours };
    return (await this.#call('POST', '/v1/knowledge/sites', { json })).job;
  }

  /** The sites that were read, with their last job. */
  async sites() {
    return (await this.#call('GET', '/v1/knowledge/sites')).sites;
  }

  /** Forgets a site with all its pages. */
  forgetSite(url) {
    return this.#call('DELETE', `/v1/knowledge/sites?url=${encodeURIComponent(url)}`);
  }

  job(id, signal) {
    return this.#call('GET', `/v1/knowledge/jobs/${encodeURIComponent(id)}`, { signal });
  }

  conversations({ before, limit = 30, signal } = {}) {
    const query = new URLSearchParams({ limit: String(limit) });
    if (before) query.set('before', before);
    return this.#call('GET', `/v1/conversations?${query}`, { signal });
  }

  conversation(id, signal) {
    return this.#call('GET', `/v1/conversations/${id}`, { signal });
  }

  events(id, { after = 0, limit = 100, signal } = {}) {
    return this.#call('GET', `/v1/conversations/${id}/events?after=${after}&limit=${limit}`, { signal });
  }

  /** Questions that the assistant did not answer, newest first. */
  unanswered({ after, limit = 30, signal } = {}) {
    const query = new URLSearchParams({ limit: String(limit) });
    if (after) query.set('after', after);
    return this.#call('GET', `/v1/unanswered?${query}`, { signal });
  }

  /** Takes a question off that list. */
  dismiss(key) {
    return this.#call('DELETE', `/v1/unanswered/${encodeURIComponent(key)}`);
  }

  /** The answers that the team has typed, all of them. */
  async answers() {
    const all = [];
    let query = '';
    do {
      const { answers, next } = await this.#call('GET', `/v1/answers${query}`);
      all.push(...answers);
      query = next ? `?after=${encodeURIComponent(next)}` : '';
    } while (query);
    return all;
  }

  /** Writes one, or writes it anew. `unanswered` is the key of the question that it answers. */
  putAnswer(id, { questions, answer, unanswered }) {
    return this.#call('PUT', `/v1/answers/${encodeURIComponent(id)}`, { json: { questions, answer, unanswered } });
  }

  deleteAnswer(id) {
    return this.#call('DELETE', `/v1/answers/${encodeURIComponent(id)}`);
  }

  /** Says that a reply was `wrong`, or `right`. */
  verdict(id, seq, verdict, note) {
    return this.#call('POST', `/v1/conversations/${id}/messages/${seq}/verdict`, { json: { verdict, note } });
  }

  /** Opens a conversation; `locale` is the language its contact reads. */
  open(contact, locale) {
    return this.#call('POST', '/v1/conversations', { json: { contact, locale } });
  }
}

/** As much of a tenant as an agent is shown, in a tenant's form. */
function agentsView({ agent, tenant: name, assistant }) {
  return { agent, tenant: { name, profile: { assistant: { name: assistant } } } };
}
