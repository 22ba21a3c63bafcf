// A page's own chat on the client, in every word that its types have. It must compile.

import {
  Conversation,
  Refusal,
  Tertulia,
  Transcript,
  type ConversationEvents,
  type Entry,
  type Listener,
  type Options,
  type Source,
  type State,
  type StateDetail,
  type TokenAnswer,
} from 'tertulia';

async function token(): Promise<TokenAnswer> {
  const answer = await fetch('/my-own-server/token', { method: 'POST' });
  if (!answer.ok) throw Object.assign(new Error('no token'), { status: answer.status });
  return (await answer.json()) as TokenAnswer;
}

const options: Options = { url: 'https://chat.example', token, locale: 'pt-BR', storage: sessionStorage };
const client = new Tertulia(options);
const desk = new Tertulia({ token: 'v4.local.agent', agent: 'Zoe' });
const quiet = new Tertulia({ token: 'v4.local.x', storage: null, locale: null, fetch, WebSocket, now: () => performance.now() });

const words: Record<State, string> = {
  connecting: 'connecting',
  open: 'open',
  silent: 'silent',
  waiting: 'waiting',
  refused: 'refused',
  closed: 'closed',
};

const shown: Listener<StateDetail> = (event: CustomEvent<StateDetail>) => {
  const { state, retryAt, advice, error } = event.detail;
  const wait: number = (retryAt ?? Date.now()) - Date.now();
  console.log(words[state], wait, advice ?? '', error?.retryAfter ?? 0);
};
client.addEventListener('state', shown);
client.addEventListener('error', { handleEvent: (event) => console.log(event.detail.code, event.detail.temporary) }, { once: true });
client.removeEventListener('state', shown);

const conversation: Conversation = client.join(localStorage.getItem('conversation'), { after: '12:3:120' });
conversation.addEventListener('joined', ({ detail }) => localStorage.setItem('conversation', detail.conversation));
conversation.addEventListener('delta', ({ detail: { entry, offset, text } }) => draw(entry, offset + text.length));
conversation.addEventListener('change', ({ detail }) => (detail.entry ? [detail.entry] : conversation.entries).forEach((entry) => draw(entry)));
conversation.addEventListener('gap', (event) => console.log(event.detail.turn, event.detail.offset));
conversation.addEventListener('caughtup', (event) => console.log(event.detail === null));
const named: keyof ConversationEvents = 'signal';
conversation.addEventListener(named, (event) => console.log(event.type));
// Like every other target of events.
const target: EventTarget = conversation;
target.addEventListener('change', () => undefined);

function draw(entry: Entry, from = 0): void {
  const sources: Source[] = entry.sources ?? [];
  const links: string[] = sources.map((source) => `[${source.n}] ${source.title ?? source.source} ${source.address ?? ''}`);
  const ended: string = entry.status === 'done' && entry.end === 'completed' ? '' : (entry.end ?? entry.status);
  console.log(entry.key, entry.author, entry.agent ?? '', entry.text.slice(from), ended, ...links);
}

export async function talk(): Promise<number> {
  try {
    const { seq } = await conversation.say('When do you open?', { again: 3 });
    conversation.read(seq);
    conversation.typing(false);
    await conversation.cancel();
    await conversation.earlier(50);
    return seq;
  } catch (error) {
    if (error instanceof Refusal && error.temporary) return error.retryAfter ?? 1;
    const failed = conversation.entries.find((entry) => entry.status === 'failed');
    return failed?.ref ? (await conversation.retry(failed.ref)).seq : 0;
  }
}

// A transcript that is fed from elsewhere.
const transcript = new Transcript();
transcript.take({ seq: 1, at: '2026-01-01T00:00:00Z', type: 'opened' }, { old: true });
transcript.delta({ turn: 1, offset: 0, text: 'It opens' });
const pending: Entry = transcript.pend({ ref: 'r1', text: 'Thanks!' });
transcript.fail('r1', new Refusal({ code: 'rate_limited', retry_after: 2 }, 429));
const question: Entry | null = transcript.question(pending);
const position: string | number = transcript.position;
const missing: [number, number] | null = transcript.missing;
console.log(question?.seq, position, missing?.[0], transcript.running?.turn, transcript.handoff === 'complaint');

// An agent at work.
export async function attend(id: string): Promise<number> {
  const attended: Conversation = desk.join(id);
  const { seq } = await attended.takeOver();
  await attended.say('Zoe here.');
  await attended.handBack({ agent: 'Zoe' });
  return (await attended.close()).seq ?? seq ?? 0;
}

client.reconnect({ token: 'v4.local.y' });
quiet.request('/v1/conversations', { method: 'POST', body: { locale: 'es' } }).then((made) => quiet.join(made.id).leave());
quiet.close();
