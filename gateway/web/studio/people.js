// Who a conversation is with and how it stands, read from its log without waking it.

import { eventsBetween } from '../log.js';
import { t } from './texts.js';

/** The contact under which the owner tries the assistant out. */
export const TRYING = 'studio';
/** Far enough back to find who answers, in all but very long silences of people. */
const TAIL = 40;

/** What a list shows of a conversation whose newest event is `head`; `before` is what it showed last, with the contact, whom the log names by id only. */
export async function glance(api, id, head, before, signal) {
  const after = Math.max(0, head - TAIL, before?.head ?? 0);
  const read = (at, limit) => api.events(id, { after: at, limit, signal });
  let seen = before ?? { owner: 'assistant', status: 'open', agent: null, contact: null, last: null };
  for await (const event of eventsBetween(read, after, Math.max(head, after + 1))) seen = fold(seen, event);
  return { ...seen, head };
}

function fold(seen, event) {
  switch (event.type) {
    case 'message': {
      const running = event.turn ? false : seen.running;
      if (event.author === 'human') seen = { ...seen, handoff: null };
      // Like the node's list: what the customer said tells one conversation from another, what they are answered does not.
      return event.author === 'contact' ? { ...seen, running, last: glimpse(event.text) } : { ...seen, running };
    }
    case 'turn_started':
      return { ...seen, running: true };
    case 'taken_over':
      return { ...seen, owner: 'human', agent: event.agent };
    case 'handed_back':
      return { ...seen, owner: 'assistant', agent: null, handoff: null };
    case 'handoff_requested':
      return { ...seen, handoff: event.reason ?? 'asked' };
    case 'closed':
      return { ...seen, status: 'closed' };
    case 'reopened':
      return { ...seen, status: 'open' };
    default:
      return seen;
  }
}

/** The first words, without the marks of Markdown and of sources. */
function glimpse(text) {
  return text
    .slice(0, 200)
    .replace(/\*\*|\x60+|^#+ |\[\d+\]/gm, '')
    .replace(/\s+/g, ' ')
    .trim();
}

/**
 * A name to show: what the person is called, where that is known. Generated names are long and say nothing, so only
 * their end is shown.
 */
export function nameOf(contact, called) {
  if (called) return called;
  if (!contact) return '';
  if (contact === TRYING) return t('people.trying');
  const generated = /^(?:ct|anon)_[0-9a-f]*([0-9a-f]{4})$/.exec(contact);
  return generated ? t('people.visitor', { id: generated[1] }) : contact;
}
