//! Every fixed bound in one place, with the relations between them checked at compile time.
//! What an operator may tune lives in the configuration; what a tenant may, in its profile.

use std::num::NonZeroU32;
use std::time::Duration;

/// One client frame, reassembled, in bytes.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Pings, pongs and fragments of one socket a second, lasting. An honest client sends a few in a minute.
pub const SMALL_FRAMES_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Pings, pongs and fragments that may come at once: a whole message in fragments of 256 bytes, twice.
pub const SMALL_FRAMES_BURST: NonZeroU32 = NonZeroU32::new(512).unwrap();
/// One HTTP request body, in bytes; documents are larger, see [`DOCUMENT_BYTES_MAX`].
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// One said message, in UTF-8 bytes.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// One reply of an assistant, in UTF-8 bytes; longer ones end with `length`.
pub const REPLY_BYTES_MAX: usize = 256 * 1024;
/// A client's own id for a frame, in characters.
pub const REF_CHARS_MAX: usize = 64;
/// A tenant's name for a contact, in characters.
pub const CONTACT_CHARS_MAX: usize = 128;
/// What a person is called, in characters.
pub const PERSON_NAME_CHARS_MAX: usize = 200;
/// One identity of a contact, in characters; each kind has its own bound within this.
pub const IDENTITY_CHARS_MAX: usize = 254;
/// Identities of one contact, those of contacts merged into it counted.
pub const IDENTITIES_MAX: usize = 64;
/// Contacts that may be merged into one.
pub const MERGED_MAX: usize = 32;
/// Merges that lead from one contact to the next until the last one.
pub const MERGE_STEPS_MAX: usize = 2 * MERGED_MAX;
/// Attributes of one contact …
pub const ATTRIBUTES_MAX: usize = 64;
/// … each name in characters …
pub const ATTRIBUTE_NAME_CHARS_MAX: usize = 64;
/// … each value in characters …
pub const ATTRIBUTE_VALUE_CHARS_MAX: usize = 1_024;
/// … and all of them together in bytes.
pub const ATTRIBUTES_BYTES_MAX: usize = 16 * 1024;
/// Purposes for which one contact has given or withdrawn a consent …
pub const CONSENTS_MAX: usize = 32;
/// … each in characters …
pub const PURPOSE_CHARS_MAX: usize = 64;
/// … and in which way that was, in characters.
pub const CONSENT_MEANS_CHARS_MAX: usize = 200;
/// Who changed a contact's record, in characters.
pub const CHANGED_BY_CHARS_MAX: usize = 80;
/// How far the clock of whoever tells of a moment may be ahead of the node's.
pub const CLOCKS_APART_MAX: Duration = Duration::from_secs(300);
/// Changes that a contact's record remembers; the oldest go first …
pub const CONTACT_CHANGES_MAX: usize = 64;
/// … as they do when all together have more bytes of JSON than this.
pub const CONTACT_CHANGES_BYTES_MAX: usize = 32 * 1024;
/// Contacts in one page of a listing.
pub const PAGE_CONTACTS_MAX: usize = 100;
/// A human agent's display name, in characters.
pub const AGENT_CHARS_MAX: usize = 80;
/// A tenant's name, in characters.
pub const TENANT_NAME_CHARS_MAX: usize = 80;
/// A document's source, in characters.
pub const SOURCE_CHARS_MAX: usize = 1_024;
/// How a model is named, for descriptions; the node's list of providers decides.
pub(crate) const MODEL_PATTERN: &str = "^(builtin|(openai|anthropic|gemini)/.+)$";
/// One line, as a regular expression for descriptions: without control characters.
pub const LINE_PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
/// The same for a document's source: one line with something to see in it.
pub const SOURCE_PATTERN: &str =
    r"^[^\u0000-\u001f\u007f-\u009f]*[^\u0000-\u001f\u007f-\u009f\s][^\u0000-\u001f\u007f-\u009f]*$";
/// The same for a question of a typed answer: one line with a letter or a digit.
pub const QUESTION_PATTERN: &str =
    r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*[\p{L}\p{N}][^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$";
/// The tag of a language, in characters: what RFC 5646 would have everybody take.
pub const LOCALE_CHARS_MAX: usize = 35;
/// Events in one page of a listing.
pub const PAGE_EVENTS_MAX: usize = 500;
/// Bytes of the events in one page, as JSON; a single event that is longer makes a page alone.
pub const PAGE_BYTES_MAX: usize = 256 * 1024;
/// Listings that are read or wait to be taken, over all clients …
pub const LISTINGS_MAX: usize = 128;
/// … for one address …
pub const LISTINGS_PER_ADDRESS_MAX: usize = 8;
/// … for all visitors of one tenant …
pub const LISTINGS_PER_VISITORS_MAX: usize = 32;
/// … and for those who have one tenant's key.
pub const LISTINGS_PER_KEY_MAX: usize = 64;
/// Conversations in one page of a listing.
pub const PAGE_CONVERSATIONS_MAX: usize = 100;
/// The contact's last words in such a page, in characters.
pub const LAST_WORDS_CHARS_MAX: usize = 140;
/// Unanswered messages of one conversation that a listing knows one by one; of more it knows how many.
pub const OPEN_MESSAGES_MAX: usize = 32;
/// How long a listing waits for what was durable when it was asked for.
pub const LISTING_WAIT_MAX: Duration = Duration::from_millis(250);

/// Conversations whose new events wait to be taken into a projection; more are found by looking for them.
pub const PROJECTION_WAITING_MAX: usize = 4_096;
/// What the events weigh that wait with them, in bytes; of more the logs are read.
pub const PROJECTION_TOLD_BYTES: usize = 8 * 1024 * 1024;
/// Conversations that are taken into a projection together.
pub const PROJECTION_BATCH_MAX: usize = 256;
/// Events that are looked at together for conversations which a projection is behind.
pub const PROJECTION_LOOK_EVENTS: usize = 2_048;

/// Documents in one page of a listing.
pub const PAGE_DOCUMENTS_MAX: usize = 100;
/// Passages in one page of a document.
pub const PAGE_PASSAGES_MAX: usize = 100;
/// Tenants in one page of a listing; each comes with its profile.
pub const PAGE_TENANTS_MAX: usize = 20;

/// Bytes that may wait for one session before it counts as slow and deltas are joined.
pub const OUTBOX_SLOW_BYTES: usize = 32 * 1024;
/// Bytes that may wait for one session before it is closed and told to come back.
pub const OUTBOX_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The longest event as JSON, in bytes: every byte of a reply and of its passages escaped as `\u00xx`.
pub const EVENT_JSON_BYTES_MAX: usize =
    6 * (REPLY_BYTES_MAX + PASSAGES_MAX * (4 * PASSAGE_CHARS_MAX + 4 * TITLE_CHARS_MAX + 2 * 1024)) + 16 * 1024;
/// Bytes of events that are read from the log at once for a session that is behind. About as many as it
/// takes before it counts as slow: what it does not take is read again.
pub const CATCH_UP_BYTES_MAX: usize = OUTBOX_SLOW_BYTES;
/// How long a session may stay slow without taking anything.
pub const OUTBOX_STALL_MAX: Duration = Duration::from_secs(10);
/// Conversations one socket may have joined.
pub const JOINS_MAX: usize = 64;
/// Sessions one conversation may have.
pub const SUBSCRIBERS_MAX: usize = 256;
/// Events a resuming client is sent; one further behind gets the newest of them and is told so.
pub const REPLAY_EVENTS_MAX: usize = 1_000;

/// Events kept in memory for readers that come back.
pub const RING_EVENTS_MAX: usize = 64;
/// Bytes of the events kept in memory for readers that come back.
pub const RING_BYTES_MAX: usize = 256 * 1024;
/// Bytes that may wait for one other node before what conversations say is held back, and wishes are refused.
pub const LINK_SLOW_BYTES: usize = 1024 * 1024;
/// Bytes that may wait for one other node before the link to it is cut.
pub const LINK_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest frame between two nodes: an event, and what names it.
pub const LINK_FRAME_BYTES_MAX: usize = EVENT_JSON_BYTES_MAX + 1024;
/// Questions to one other node that may wait for their answers.
pub const LINK_ASKS_MAX: usize = 4_096;
/// How long an answer of another node is waited for.
pub const ASK_MAX: Duration = Duration::from_secs(5);
/// Conversations of other nodes that one node follows.
pub const RELAYS_MAX: usize = 65_536;
/// Messages that may wait for one relay: all that a link brings at once.
pub const RELAY_MESSAGES_MAX: usize = 1_024;
/// Bytes of the messages that may wait for one relay.
pub const RELAY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How long something may be overdue that is another node's to attend to.
pub const OTHERS_DUE_AFTER: Duration = Duration::from_secs(5);
/// Messages that may wait for one actor.
pub const MAILBOX_MESSAGES_MAX: usize = 128;
/// Bytes of the messages that may wait for one actor.
pub const MAILBOX_BYTES_MAX: usize = 512 * 1024;
/// Pieces of one reply between the model and its conversation.
pub const PROGRESS_MAX: usize = 64;
/// Work in progress (replies that run, messages on their way to the disk) that a node admits for each of
/// its threads at first; how busy its threads are decides from then on.
pub const WORK_FIRST: usize = 128;
/// Refs a conversation remembers to recognise a message sent twice.
pub const REFS_MAX: usize = 512;
/// Events after a conversation's snapshot before the next one is written: what a wake reads besides, about.
pub const SNAPSHOT_EVENTS: u64 = 256;
/// A snapshot, in bytes; a larger one is not kept.
pub const SNAPSHOT_BYTES: usize = 512 * 1024;
/// Events waiting in one conversation for the store; past it messages are refused as busy.
pub const UNSTORED_EVENTS_MAX: usize = 256;
/// Bytes of the events waiting in one conversation for the store.
pub const UNSTORED_BYTES_MAX: usize = 1024 * 1024;
/// How long a conversation tries to bring its events to a store that does not take them, or does not say
/// whether it has.
pub const APPEND_TRIES_FOR: Duration = Duration::from_secs(5);

/// A reply that was begun or is owed is looked for after so long, and again until it has ended: where no node is at
/// it any more, it is ended or begun anew.
pub const REPLY_DUE_AFTER: Duration = Duration::from_secs(30);
/// A node that begins alone looks so far ahead at first: what was on its way when its last life ended is on its
/// way no more.
pub const DUE_AHEAD_AT_START: Duration = Duration::from_secs(60);
/// Entries of the due index that are read at once.
pub const PAGE_DUE_MAX: usize = 64;
/// Conversations that are due and wait for a thread.
pub const DUE_WAITING_MAX: usize = 32;
/// Conversations whose entry is remembered because it was looked at and stands there still.
pub const DUE_REMEMBERED_MAX: usize = 4_096;
/// Tenants for whom nothing can be done, and whose entries wait together for that reason.
pub const DUE_TENANTS_HELD_MAX: usize = 1_024;

/// A reply's unstored tail is stored once it is this long, in bytes …
pub const CHECKPOINT_BYTES: usize = 1024;
/// … or this old.
pub const CHECKPOINT_AFTER: Duration = Duration::from_secs(2);
/// A message shorter than this, in characters, may be the first of several.
pub const BURST_CHARS_MAX: usize = 24;
/// Longest wait for the rest of a burst.
pub const BURST_WINDOW_MAX: Duration = Duration::from_secs(2);
/// Times a message that came before the first word may restart the turn.
pub const ATTEMPTS_MAX: u32 = 5;
/// What a turn remembers of the talk before it, in bytes; a prompt takes all of it.
pub const TRANSCRIPT_BYTES_MAX: usize = 48 * 1024;
/// What a turn remembers of one message, in bytes: its end.
pub const TRANSCRIPT_LINE_BYTES_MAX: usize = TEXT_BYTES_MAX;
/// A whole prompt, in bytes: instructions, talk, passages, and what making them harmless adds.
pub const PROMPT_BYTES_MAX: usize = 512 * 1024;
/// Models passed over that a reply records.
pub const FAILOVERS_MAX: usize = 64;
/// Parts of one reply that may be taken back one by one.
pub const UNSAID_MAX: usize = 16;

/// Events in one transaction of the embedded store.
pub const COMMIT_EVENTS_MAX: usize = 256;
/// Bytes of the events in one transaction.
pub const COMMIT_BYTES_MAX: usize = 1024 * 1024;
/// Appends waiting for the embedded store's writer.
pub const WRITER_QUEUE_MAX: usize = 4_096;

/// An API key of one's own making, in bytes: a shorter one can be guessed …
pub const API_KEY_BYTES_MIN: usize = 16;
/// … and a longer one is not even hashed.
pub const API_KEY_BYTES_MAX: usize = 256;
/// Wrong API keys that an address may show at once …
pub const WRONG_KEYS_BURST: u32 = 10;
/// … and how long it waits for each further try.
pub const WRONG_KEY_PAUSE: Duration = Duration::from_secs(1);
/// The longest that such waits add up to: others may have the same address.
pub const WRONG_KEYS_WAIT_MAX: Duration = Duration::from_secs(60);

/// One document to learn, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// One file to read a document from, in bytes: pictures and fonts in it are not learned.
pub const FILE_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Bytes of all documents that are held on their way in; a tenant has half of them at most.
pub const INCOMING_BYTES_MAX: usize = 8 * FILE_BYTES_MAX;
/// Pages of a site that are learned when nothing else is asked for.
pub const SITE_PAGES_DEFAULT: usize = 200;
/// Pages of a site that may be asked for.
pub const SITE_PAGES_MAX: usize = 2_000;
/// Links from a site's first page to its last when nothing else is asked for.
pub const SITE_DEPTH_DEFAULT: usize = 5;
/// The greatest depth that a site may be learned to: links from its first page to its last.
pub const SITE_DEPTH_MAX: usize = 50;
/// Pages of one path that differ in their query only, when nothing else is asked for.
pub const SITE_QUERIES_DEFAULT: usize = 100;
/// Most pages of one path that differ in their query only, that may be asked for.
pub const SITE_QUERIES_MAX: usize = SITE_PAGES_MAX;
/// Parts of pages that a report names as not learned, by what they are and why; further ones are counted.
pub const LEFT_OUT_SHOWN_MAX: usize = 50;
/// Pages that it names for each of them; further ones are counted.
pub const LEFT_OUT_PAGES_MAX: usize = 5;
/// Sites that one tenant may have.
pub const SITES_MAX: usize = 16;
/// Pages passed over that a report names; further ones are counted.
pub const SKIPPED_SHOWN_MAX: usize = 100;
/// Hours between two learnings of a site that may be asked for: a year.
pub const SITE_HOURS_MAX: u32 = 8_760;
/// One passage of a document, in characters.
pub const PASSAGE_CHARS_MAX: usize = 1_200;
/// Passages given to a turn.
pub const PASSAGES_MAX: usize = 5;
/// Bytes of the passages given to a turn, with their sources and headings.
pub const PASSAGES_BYTES_MAX: usize = 28 * 1024;
/// A document's title as people see it beside a reply, in characters.
pub const TITLE_CHARS_MAX: usize = 120;

/// Questions without an answer that are kept of one tenant, like ones as one; the oldest go first.
pub const UNANSWERED_MAX: usize = 1_000;
/// Places that such a question remembers; older ones are only counted.
pub const UNANSWERED_PLACES_MAX: usize = 10;
/// What is kept of such a question, in characters.
pub const UNANSWERED_CHARS_MAX: usize = 300;
/// Such questions in one page of a listing.
pub const PAGE_UNANSWERED_MAX: usize = 100;
/// Places that wait to be noted as unanswered, of all tenants.
pub const UNANSWERED_WAITING_MAX: usize = 4_096;
/// Tenants whose unanswered questions are held in memory.
pub const UNANSWERED_OPEN_MAX: usize = 64;
/// Answers typed by one tenant.
pub const ANSWERS_MAX: usize = 1_000;
/// Such answers in one page of a listing.
pub const PAGE_ANSWERS_MAX: usize = 50;
/// The id of such an answer, in characters.
pub const ANSWER_ID_CHARS_MAX: usize = 64;
/// Questions that one of them answers …
pub const ANSWER_QUESTIONS_MAX: usize = 10;
/// … each in characters …
pub const ANSWER_QUESTION_CHARS_MAX: usize = 300;
/// … and what it says, in UTF-8 bytes.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024;
/// What is written beside a verdict on a reply, in characters.
pub const VERDICT_NOTE_CHARS_MAX: usize = 500;

/// One frame of a model's stream, in bytes.
pub const MODEL_FRAME_BYTES_MAX: usize = 1024 * 1024;
/// The least that is believed to be a model's whole context. None has less; a text that claims it quotes something
/// else.
pub const CONTEXT_TOKENS_MIN: u64 = 256;

/// A tenant's profile, in bytes of JSON.
pub const PROFILE_BYTES_MAX: usize = 48 * 1024;
/// An assistant's instructions, in bytes.
pub const INSTRUCTIONS_BYTES_MAX: usize = 24 * 1024;
/// The chat's greeting, in bytes.
pub const GREETING_BYTES_MAX: usize = 1024;
/// Origins one tenant may allow.
pub const ORIGINS_MAX: usize = 64;
/// Models that one profile or plan may name.
pub const MODELS_MAX: usize = 8;
/// A plan's name, in characters.
pub const PLAN_NAME_CHARS_MAX: usize = 40;

/// Visitors of one tenant whose budgets are remembered; past it those who came longest ago begin anew.
pub const VISITORS_REMEMBERED_MAX: usize = 16_384;
/// Addresses of one tenant's visitors whose use of a day is remembered; past it those with least begin anew.
pub const VISITOR_NEIGHBOURS_MAX: usize = 16_384;
/// Anonymous visitors from one address may store one part in so many of the bytes of all visitors.
pub const NEIGHBOUR_PARTS: u64 = 8;
/// Bytes of one visitor's day from which on their count survives a crash …
pub const VISITOR_BYTES_KEPT: u64 = 256 * 1024;
/// … for so many visitors of a tenant: those with most bytes.
pub const VISITORS_KEPT_MAX: usize = 1_024;
/// What a message of a visitor counts beside its text, in bytes: the rows around it.
pub const MESSAGE_BYTES_AROUND: u64 = 512;
/// What a conversation that a visitor opens counts, in bytes.
pub const OPENING_BYTES: u64 = 1_024;
/// Longest time for which a tenant's use is in memory only.
pub const USAGE_KEPT_EVERY: Duration = Duration::from_secs(5);

/// Crashes of one conversation in [`CRASH_WINDOW`] before it is quarantined.
pub const CRASHES_MAX: usize = 5;
/// The window in which crashes are counted.
pub const CRASH_WINDOW: Duration = Duration::from_secs(10);
/// How often the server pings an idle socket; the first ping comes after a random half to whole.
pub const PING_INTERVAL: Duration = Duration::from_secs(25);
/// How long a peer may be silent before its socket is ended.
pub const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long a socket may stay open without having said who it is.
pub const AUTH_DEADLINE: Duration = Duration::from_secs(5);
/// How long a visitor may have more sockets and streams than it may keep, at most twice as many: those of
/// a page that was just left take a moment to end.
pub const SURPLUS_GRACE: Duration = Duration::from_secs(5);
/// When a session that was closed for a newer one may come back.
pub const SURPLUS_RETRY: Duration = Duration::from_secs(30);

const _: () = assert!(TEXT_BYTES_MAX * 2 <= FRAME_BYTES_MAX, "a full message fits a frame, escaped");
const _: () = assert!(
    SMALL_FRAMES_BURST.get() as usize * 256 >= FRAME_BYTES_MAX,
    "a full message may come in fragments as small as lines are"
);
const _: () =
    assert!(OUTBOX_SLOW_BYTES + EVENT_JSON_BYTES_MAX <= OUTBOX_BYTES_MAX, "no event of a log can close a socket");
const _: () =
    assert!(CATCH_UP_BYTES_MAX <= PAGE_BYTES_MAX && PAGE_BYTES_MAX <= OUTBOX_BYTES_MAX, "a page fits an outbox");
const _: () = assert!(LINK_SLOW_BYTES + EVENT_JSON_BYTES_MAX <= LINK_BYTES_MAX, "no event of a log can cut a link");
const _: () = assert!(LINK_FRAME_BYTES_MAX <= RELAY_BYTES_MAX, "every frame of a link fits a relay's mailbox");
const _: () = assert!(TEXT_BYTES_MAX <= MAILBOX_BYTES_MAX, "a message fits a mailbox");
const _: () = assert!(PROFILE_BYTES_MAX <= MAILBOX_BYTES_MAX, "a profile fits a mailbox");
const _: () = assert!(2 * REPLY_BYTES_MAX <= UNSTORED_BYTES_MAX, "a reply leaves room for a question");
const _: () = assert!(LISTINGS_PER_ADDRESS_MAX * 2 <= LISTINGS_MAX, "one address leaves places for others");
const _: () = assert!(LISTINGS_PER_VISITORS_MAX + LISTINGS_PER_KEY_MAX < LISTINGS_MAX, "and so does one tenant");
const _: () = assert!(OUTBOX_SLOW_BYTES * 4 <= OUTBOX_BYTES_MAX, "slow comes well before closed");
const _: () = assert!(PROJECTION_BATCH_MAX <= COMMIT_EVENTS_MAX, "a batch of rows fits one transaction");
const _: () = assert!(PROJECTION_BATCH_MAX * 2 <= WRITER_QUEUE_MAX, "a batch of rows leaves places for messages");
const _: () = assert!(PROFILE_BYTES_MAX <= BODY_BYTES_MAX, "a profile fits a request");
const _: () = assert!(INSTRUCTIONS_BYTES_MAX < PROFILE_BYTES_MAX, "instructions fit a profile");
const _: () =
    assert!(DUE_AHEAD_AT_START.as_secs() > REPLY_DUE_AFTER.as_secs(), "a new life finds all that the last one left");
const _: () = assert!(BURST_WINDOW_MAX.as_secs() < REPLY_DUE_AFTER.as_secs(), "a burst is over before it is due");
const _: () = assert!(CHECKPOINT_BYTES < REPLY_BYTES_MAX, "a reply is longer than its checkpoint");
const _: () = assert!(
    TRANSCRIPT_LINE_BYTES_MAX + PASSAGES_BYTES_MAX < TRANSCRIPT_BYTES_MAX,
    "a transcript holds at least one message with its passages"
);
const _: () = assert!(TEXT_BYTES_MAX <= TRANSCRIPT_LINE_BYTES_MAX, "a question is remembered whole");
const _: () = assert!(
    6 * TRANSCRIPT_BYTES_MAX + 80 * REFS_MAX + 16 * 1024 <= SNAPSHOT_BYTES,
    "what a conversation remembers fits its snapshot while no reply runs, however it is escaped"
);
const _: () = assert!(SNAPSHOT_BYTES * 2 <= COMMIT_BYTES_MAX, "a snapshot leaves most of a commit to what is said");
const _: () = assert!(SNAPSHOT_EVENTS <= PAGE_EVENTS_MAX as u64, "what follows a snapshot is about a page");
const _: () = assert!(PASSAGES_MAX * PASSAGE_CHARS_MAX * 4 <= PASSAGES_BYTES_MAX, "full passages fit a question");
const _: () = assert!(
    3 * (INSTRUCTIONS_BYTES_MAX + 2 * TRANSCRIPT_BYTES_MAX + PASSAGES_BYTES_MAX) <= PROMPT_BYTES_MAX,
    "a prompt holds all its parts, the last question twice, when each byte becomes three"
);
const _: () = assert!(FAILOVERS_MAX >= 8 * ATTEMPTS_MAX as usize, "each model of each attempt is recorded");
const _: () = assert!(RING_EVENTS_MAX <= REPLAY_EVENTS_MAX, "the ring alone never overfills a resume");
const _: () =
    assert!(SITE_PAGES_DEFAULT <= SITE_PAGES_MAX && SITE_DEPTH_DEFAULT <= SITE_DEPTH_MAX, "defaults are allowed");
const _: () = assert!(
    ANSWER_BYTES_MAX + 4 * ANSWER_QUESTIONS_MAX * ANSWER_QUESTION_CHARS_MAX <= BODY_BYTES_MAX / 2,
    "an answer with its questions fits a request, escaped"
);
const _: () = assert!(FILE_BYTES_MAX >= DOCUMENT_BYTES_MAX, "a document of text is a file");
const _: () = assert!(VISITORS_KEPT_MAX * 8 <= VISITORS_REMEMBERED_MAX, "who used much is not forgotten for room");
const _: () = assert!(VISITOR_BYTES_KEPT >= 16 * TEXT_BYTES_MAX as u64, "one message does not make a record");
const _: () = assert!(WRONG_KEYS_WAIT_MAX.as_secs() > WRONG_KEY_PAUSE.as_secs() * WRONG_KEYS_BURST as u64);
const _: () = assert!(SURPLUS_RETRY.as_secs() > SURPLUS_GRACE.as_secs(), "who is sent away does not push at once");
const _: () = assert!(INCOMING_BYTES_MAX >= 8 * FILE_BYTES_MAX, "six tenants that take all they can leave room");
const _: () = assert!(PING_INTERVAL.as_secs() * 2 < SILENCE_MAX.as_secs(), "two pings may be lost");
const _: () = assert!(ATTRIBUTES_BYTES_MAX <= CONTACT_CHANGES_BYTES_MAX, "what a merge puts aside fits the changes");
const _: () = assert!(CONTACT_CHARS_MAX <= IDENTITY_CHARS_MAX, "a tenant's name for a contact is an identity");
