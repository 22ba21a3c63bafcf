/** The client of a Tertulia node. See the protocol for what its words mean. */

/**
 * `silent`: an answer is awaited and nothing is heard; the line may be dead, and is not given up yet.
 * `refused`: the node does not take the token, or there is none to be had; see `advice`.
 * `closed`: by `close()`, or because the node says that there is no use in coming back.
 */
export type State = 'connecting' | 'open' | 'silent' | 'waiting' | 'refused' | 'closed';

export interface TokenAnswer {
  token: string;
  /** RFC 3339. With it the token is kept until then and renewed on the living socket before. */
  expires_at?: string;
  /** For how many seconds it is good from now; holds in place of `expires_at`, also where this computer's clock is wrong. */
  expires_in?: number;
}

export interface Options {
  /** The node's origin. Default: where this module came from. */
  url?: string;
  /** A visitor's or an agent's token, an API key (in programs and on the node's own pages), or a function that gets one. An error it throws is tried again, unless it has `fatal: true` or a `status` of 4xx; so is an answer without a token. */
  token: string | (() => Promise<string | TokenAnswer>);
  /**
   * In which language the visitor reads, as a BCP 47 tag: a conversation that is opened here is answered in it until the
   * visitor's own words tell theirs. Default: the page's `lang`, else what the browser is set to. `null`: nothing is said.
   */
  locale?: string | null;
  /** The human agent who speaks and acts here, where that is not said each time: with an agent's token, the agent that it names. */
  agent?: string;
  /** Keeps what was said and not yet answered over a reload: `sessionStorage` or `localStorage`. Default: nowhere. */
  storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | null;
  /** For surroundings without them, and for tests. */
  WebSocket?: typeof WebSocket;
  fetch?: typeof fetch;
  /** How time passes, in milliseconds; not the clock on the wall. */
  now?: () => number;
  random?: () => number;
  setTimeout?: (act: () => void, ms: number) => any;
}

export interface StateDetail {
  state: State;
  /** When the next attempt is made, in milliseconds since 1970; with `waiting`. */
  retryAt?: number;
  /** The close code of the socket, or what it would be. */
  code?: number;
  reason?: string;
  /** Why; with `waiting` only where there was no token (`no_token`), or the node asked to wait, for `error.retryAfter` seconds or more. */
  error?: Refusal;
  /** The visitor has newer ones open; with `waiting`. It comes back at once when it is looked at, or something is said or typed in it. */
  elsewhere?: boolean;
  /** What to do, for whoever builds the page; with `refused`. */
  advice?: string;
}

/** Who is told of an event that carries `Detail`: a function, or an object with one. */
export type Listener<Detail> =
  | ((event: CustomEvent<Detail>) => void)
  | { handleEvent(event: CustomEvent<Detail>): void }
  | null;

/** Events of a `Tertulia`, and what each carries as its `detail`. */
export interface TertuliaEvents {
  state: StateDetail;
  error: Refusal;
}

/** A connection to a node that comes back by itself. */
export class Tertulia extends EventTarget {
  constructor(options: Options);
  readonly state: State;
  readonly url: string;
  /** Listens to a conversation. Without an id a new one is opened when something is said. The first join opens the socket. */
  join(conversation?: string | null, options?: { after?: string | number }): Conversation;
  /**
   * Comes back now instead of at the next attempt; also from `refused` and `closed`. With a `token` it is that one
   * from now on: an open socket goes on with it at once, or is replaced where the node wants another one for it.
   */
  reconnect(options?: { token?: Options['token'] }): void;
  /** Ends the socket, until `reconnect`. What was not sent is refused as `closed`; with `storage` the next page sends it. */
  close(): void;
  /** Calls an HTTP route of the node with the token. Rejects with a `Refusal`, `disconnected` where no answer comes in 15 s. */
  request(path: string, init?: { method?: string; body?: unknown }): Promise<any>;
  addEventListener<Name extends keyof TertuliaEvents>(type: Name, listener: Listener<TertuliaEvents[Name]>, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<Name extends keyof TertuliaEvents>(type: Name, listener: Listener<TertuliaEvents[Name]>, options?: boolean | EventListenerOptions): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}

export interface Source {
  /** Its number in the text: `[1]`. */
  n: number;
  source: string;
  /** What people call the document; older events have none. */
  title?: string;
  /** Where it can be read, where the source is an address. */
  address?: string;
  heading?: string;
  text: string;
}

export interface Entry {
  /** Stays the same from the first sign of the entry to its last. */
  key: string;
  /** What it is: something said, or a change of who speaks. */
  kind: 'message' | 'taken_over' | 'handed_back' | 'closed' | 'reopened';
  seq?: number;
  author: 'contact' | 'assistant' | 'human' | 'system';
  /** A human agent's name. */
  agent?: string;
  text: string;
  /** RFC 3339. */
  at?: string;
  /** `sending`: not acknowledged; `failed`: refused for good; `streaming`: a reply that runs. */
  status: 'sending' | 'sent' | 'failed' | 'streaming' | 'done';
  turn?: number;
  end?: 'completed' | 'length' | 'filtered' | 'cancelled' | 'incomplete' | 'failed';
  sources?: Source[];
  /** A reply that ended here only, `incomplete`, because the conversation is gone or the client is refused. */
  broken?: boolean;
  /** Why it failed, or is not taken yet. */
  error?: { code: string };
  /** When what is not taken yet is sent again, in milliseconds since 1970. */
  retryAt?: number;
  /** The `seq` of the message that a reply answers. */
  answers?: number;
  /** How the reply came about, as the log has it. */
  made?: Record<string, any>;
  ref?: string;
  /** The `seq` of an earlier message of the contact that this one says once more. */
  repeats?: number;
}

export interface ChangeDetail {
  /** The entry that changed; null when any of them may have. */
  entry: Entry | null;
}

/** Events of a `Transcript`, and what each carries as its `detail`. */
export interface TranscriptEvents {
  change: ChangeDetail;
  /** Each event of the log, as the wire has it. */
  event: Record<string, any>;
  delta: { entry: Entry; turn: number; offset: number; text: string };
  signal: Record<string, any>;
  /** A delta begins beyond the text that is there: resume from the position. */
  gap: { turn: number; offset: number };
}

/** What was said, folded from events and deltas. Feed it from any transport. */
export class Transcript extends EventTarget {
  readonly id: string | null;
  /** The newest event it has. */
  readonly head: number;
  /** In the order of showing. */
  readonly entries: Entry[];
  readonly status: 'open' | 'closed';
  readonly owner: 'assistant' | 'human';
  /** The human agent who has it. */
  readonly agent: string | null;
  /** Why somebody of the team is asked for, until one has answered. */
  readonly handoff: 'asked' | 'complaint' | null;
  /** The entry of the reply that runs. */
  readonly running: Entry | null;
  /** Events that were passed over, both ends inclusive. */
  readonly missing: [number, number] | null;
  /** From where to resume: `seq`, or in mid-reply `seq:turn:offset`. */
  readonly position: string | number;
  take(event: Record<string, any>, options?: { old?: boolean; live?: boolean }): void;
  delta(delta: { turn: number; offset: number; text: string }): void;
  signal(signal: Record<string, any>): void;
  /** Shows something said before the log has it. */
  pend(message: { ref: string; text: string; agent?: string }): Entry;
  fail(ref: string, error: Error): void;
  /** Tells why what was said is not taken yet, and when it is sent again; with neither, that it is on its way. */
  hold(ref: string, error?: Error, retryAt?: number): void;
  /** Ends the running reply here: nothing more of it will come. */
  breakOff(): void;
  /** The message that a reply answers, as it was said the first time; null where it is not among the entries. */
  question(reply: Entry): Entry | null;
  /** Its words. */
  asked(reply: Entry): string | null;
  /** Takes back an entry that the log does not have. */
  drop(ref: string): void;
  reset(): void;
  addEventListener<Name extends keyof TranscriptEvents>(type: Name, listener: Listener<TranscriptEvents[Name]>, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<Name extends keyof TranscriptEvents>(type: Name, listener: Listener<TranscriptEvents[Name]>, options?: boolean | EventListenerOptions): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}

/** Events of a `Conversation`, and what each carries as its `detail`. */
export interface ConversationEvents extends TranscriptEvents {
  joined: { conversation: string; head: number; opened: boolean };
  caughtup: null;
  error: Refusal;
}

/** A conversation on the client's socket. */
export class Conversation extends Transcript {
  /** Whether the log is still being sent again after a join. */
  readonly replaying: boolean;
  /** Says something; resolves when it is on the node's disk. While offline it waits, and behind what the node asked to wait with. Rejects with a refusal that will not pass, at once where the client is `refused` or `closed`. `again` is the `seq` of a message that is said once more. */
  say(text: string, options?: { agent?: string; again?: number }): Promise<{ seq: number }>;
  /** Says what failed once more, under the same `ref`, so that it is there once. Comes back for it from `refused`. */
  retry(ref: string): Promise<{ seq: number }>;
  /** Stops the running reply; without a connection, or where the node asks to wait, as soon as it can, if that reply still runs. */
  cancel(): Promise<void>;
  /** Takes the conversation over for a human agent, by an API key or an agent's token. Rejects at once where the line is down. */
  takeOver(options?: { agent?: string }): Promise<{ seq?: number }>;
  /** Has the assistant answer again. */
  handBack(options?: { agent?: string }): Promise<{ seq?: number }>;
  /** Ends the conversation for now, by an API key or an agent's token; the next word in it reopens it. */
  close(): Promise<{ seq?: number }>;
  /** Tells the others that somebody types here. May be called at every key. */
  typing(on: boolean): void;
  /** Tells the others what was seen here. */
  read(seq: number): void;
  /** Listens no longer, also where it had not begun to. What was said before is still sent. */
  leave(): void;
  /** Fetches a page of what was passed over (`missing`). */
  earlier(limit?: number): Promise<void>;
  addEventListener<Name extends keyof ConversationEvents>(type: Name, listener: Listener<ConversationEvents[Name]>, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<Name extends keyof ConversationEvents>(type: Name, listener: Listener<ConversationEvents[Name]>, options?: boolean | EventListenerOptions): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}

/** A failure as the node puts it. */
export class Refusal extends Error {
  constructor(error: { code: string; message?: string; retry_after?: number }, status?: number);
  /** A code of the node's list of errors; or the client's own `disconnected`, `no_token`, `closed` (here) and `refused` (by a close code). */
  readonly code: string;
  readonly status?: number;
  /** In seconds. */
  readonly retryAfter?: number;
  /** Whether it passes by itself. */
  readonly temporary: boolean;
}
