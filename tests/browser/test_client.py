"""The JavaScript client: what it makes of each way in which a socket ends."""

import signal

from room import finished, grown, say, text
from stub import expected

#: Close code, and what the client does: comes `back`, or has `ended`.
CLOSES = [
    (1001, "back"), (1006, "back"), (1011, "back"), (1012, "back"),
    (4000, "back"), (4008, "back"), (4009, "back"), (4013, "back"), (4029, "back"), (4499, "back"),
    (4501, "refused"), (4503, "ended"), (4504, "ended"), (4999, "ended"),
    (1002, "ended"), (1003, "ended"), (1007, "ended"), (1009, "ended"),
]

#: A client on a socket of the test's own, which ends at once with the given code.
CLIENT = """async ([code, hint]) => {
    const {Tertulia} = await import('/web/tertulia.js');
    class Ended extends EventTarget {
        readyState = 1;
        constructor() {
            super();
            setTimeout(() => {
                this.onopen?.({});
                if (hint) this.onmessage?.({data: JSON.stringify({type: 'going_away', retry_after_ms: hint})});
                this.readyState = 3;
                this.onclose?.({code, reason: 'told so'});
            });
        }
        send() {}
        close() {}
    }
    const client = new Tertulia({token: 'constant', WebSocket: Ended, random: () => 0.5});
    const ended = new Promise((resolve) => client.addEventListener('state', ({detail}) => {
        if (['waiting', 'refused', 'closed'].includes(client.state)) resolve({state: client.state, pause: (detail.retryAt ?? 0) - Date.now()});
    }));
    client.join('conv_' + '0'.repeat(32));
    const told = await ended;
    client.close();
    return told;
}"""


def test_every_close_code_is_obeyed(room):
    page = room.page()
    wrong = []
    for code, does in CLOSES:
        told = page.evaluate(CLIENT, [code, None])
        if told["state"] != {"back": "waiting", "ended": "closed", "refused": "refused"}[does]:
            wrong.append((code, does, told))
    assert not wrong, wrong
    flooded, usual = (page.evaluate(CLIENT, [code, None])["pause"] for code in (4029, 4008))
    assert flooded > usual + 1_000, (flooded, usual)
    hinted = page.evaluate(CLIENT, [4000, 7_000])["pause"]
    assert 5_500 < hinted <= 7_000, hinted


def test_a_planned_restart_lets_the_reply_finish_and_is_come_back_from(room):
    with room.own_node() as (node, url):
        page = room.page(url + "/")
        say(page, "say 60 words 30")
        grown(page, 60)
        node.kill(signal.SIGTERM)
        node.start()
        finished(page)
        assert text(page) == expected("say 60 words 30").strip()
        assert any(frame["type"] == "going_away" for frame in page.frames_received)
        say(page, "quote back again.")
        finished(page, 2)
        assert text(page, 1) == "back again."


#: A node of the test's own. `script` says what each frame is answered with: an answer, `{close}`, or nothing.
#: `run(client, node)` acts; `node.frames` holds what came in, with the socket's number; `states` what was told.
SCRIPTED = """async () => {
    const {Tertulia} = await import('/web/tertulia.js');
    const node = {frames: [], sockets: 0, script: SCRIPT};
    class Scripted extends EventTarget {
        readyState = 1;
        constructor() {
            super();
            this.number = ++node.sockets;
            setTimeout(() => this.onopen?.({}));
        }
        send(text) {
            const frame = JSON.parse(text);
            node.frames.push({...frame, socket: this.number});
            for (const answer of [node.script(frame, this.number, node) ?? []].flat()) setTimeout(() => {
                if (answer.close) { this.readyState = 3; this.onclose?.({code: answer.close, reason: answer.reason ?? ''}); }
                else this.onmessage?.({data: JSON.stringify(answer)});
            });
        }
        close() { this.readyState = 3; }
    }
    const states = [];
    const client = new Tertulia({token: 'constant', WebSocket: Scripted, random: () => 0.5, ...OPTIONS});
    client.addEventListener('state', ({detail}) => states.push({...detail, error: detail.error && {code: detail.error.code, retryAfter: detail.error.retryAfter}, at: performance.now()}));
    node.states = states;
    node.until = async (what, ms = 8000) => { const end = performance.now() + ms; while (!what()) { if (performance.now() > end) throw new Error('in vain: ' + what); await new Promise(done => setTimeout(done, 10)); } };
    node.settled = (promise, ms = 1000) => Promise.race([promise.then(ok => ({ok}), error => ({refused: error.code})), new Promise(done => setTimeout(() => done('pending'), ms))]);
    try { return await (RUN)(client, node); } finally { client.close(); }
}"""

ID = "conv_" + "0" * 32
#: A node that takes everything.
TAKES = f"""(frame) => ({{
    auth: {{type: 'reply', ref: frame.ref, ok: {{}}}}, ping: {{type: 'reply', ref: frame.ref, ok: {{}}}}, leave: {{type: 'reply', ref: frame.ref, ok: {{}}}},
    join: {{type: 'reply', ref: frame.ref, ok: {{conversation: frame.conversation ?? '{ID}', head: 1, complete: true}}}},
    say: {{type: 'reply', ref: frame.ref, ok: {{seq: 2}}}}, cancel: {{type: 'reply', ref: frame.ref, ok: {{}}}},
}}[frame.type])"""


def scripted(room, script, run, options="{}"):
    # Written into the page's function: the page's policy forbids `eval`.
    return room.page().evaluate(SCRIPTED.replace("SCRIPT", script).replace("OPTIONS", options).replace("RUN", run))


def test_a_refusal_that_passes_is_waited_out_and_nothing_is_lost(room):
    """However the refusal is told: as the answer to `auth`, as a frame of its own, before 4013 or an older 4501."""
    refusal = "{code: 'quota_exhausted', message: 'too many sockets', retry_after: 1}"
    ways = {
        "answer, 4013": f"[{{type: 'reply', ref: frame.ref, error: {refusal}}}, {{close: 4013}}]",
        "answer, 4501": f"[{{type: 'reply', ref: frame.ref, error: {refusal}}}, {{close: 4501}}]",
        "answer, no close": f"[{{type: 'reply', ref: frame.ref, error: {refusal}}}]",
        "frame, 4013": f"[{{type: 'error', error: {refusal}}}, {{close: 4013}}]",
        "frame, 4501": f"[{{type: 'error', error: {refusal}}}, {{close: 4501}}]",
    }
    wrong = {}
    for name, way in ways.items():
        script = f"(frame, socket) => frame.type === 'auth' && socket === 1 ? {way} : socket === 1 ? [] : ({TAKES})(frame)"
        told = scripted(room, script, f"""async (client, node) => {{
            const said = client.join('{ID}').say('kept');
            await node.until(() => client.state === 'waiting');
            // What usually brings a client back at once does not bring it back before it was told.
            window.dispatchEvent(new Event('online'));
            document.dispatchEvent(new Event('visibilitychange'));
            const outcome = await node.settled(said, 6000);
            const waits = node.states.find(({{state}}) => state === 'waiting');
            const next = node.states.find(({{state, at}}) => state === 'connecting' && at > waits.at);
            return {{outcome, states: node.states.map(({{state}}) => state), pause: next.at - waits.at, retryAfter: waits.error?.retryAfter,
                says: node.frames.filter(({{type}}) => type === 'say').map(({{text}}) => text)}};
        }}""")
        if told["outcome"] != {"ok": {"seq": 2}} or "closed" in told["states"] or not 990 <= told["pause"] < 2_500 or told["says"] != ["kept"] or told["retryAfter"] != 1:
            wrong[name] = told
    assert not wrong, wrong


def test_renewing_a_token_is_tried_again_when_the_refusal_passes(room):
    told = scripted(room, f"""(frame, socket, node) => frame.type === 'auth' && node.frames.filter(({{type}}) => type === 'auth').length === 2
        ? {{type: 'reply', ref: frame.ref, error: {{code: 'quota_exhausted', message: 'full', retry_after: 1}}}} : ({TAKES})(frame)""",
        f"""async (client, node) => {{
            client.join('{ID}');
            await node.until(() => node.frames.filter(({{type}}) => type === 'auth').length >= 3);
            return {{sockets: node.sockets, states: node.states.map(({{state}}) => state)}};
        }}""", "{token: async () => ({token: 'made', expires_at: new Date(Date.now() + 2500).toISOString()})}")
    assert told == {"sockets": 1, "states": ["connecting", "open"]}, told


def test_a_wrong_token_is_a_state_of_its_own_and_what_was_said_can_be_sent_again(room):
    for close in ("answer", "close"):
        refusal = "{type: 'reply', ref: frame.ref, error: {code: 'unauthorized', message: 'no such token'}}" if close == "answer" else "{close: 4501, reason: 'not authorized'}"
        told = scripted(room, f"(frame, socket) => socket > 1 ? ({TAKES})(frame) : frame.type === 'auth' ? {refusal} : []", f"""async (client, node) => {{
            const conversation = client.join('{ID}');
            const first = await node.settled(conversation.say('first'), 3000);
            const state = node.states.at(-1);
            const second = await node.settled(conversation.say('second'));
            const shown = conversation.entries.map(({{text, status, error}}) => [text, status, error?.code]);
            client.reconnect({{token: 'a good one'}});
            const again = await node.settled(Promise.all(conversation.entries.map(({{ref}}) => ref).map((ref) => conversation.retry(ref))), 3000);
            const says = node.frames.filter(({{type, socket}}) => type === 'say' && socket > 1).map(({{text}}) => text);
            return {{first, second, state: state.state, code: state.code, advice: state.advice, shown, again, says, tokens: node.frames.filter(({{type}}) => type === 'auth').map(({{token}}) => token)}};
        }}""")
        assert told["state"] == "refused" and told["code"] == 4501 and "reconnect" in told["advice"], told
        assert told["first"] == told["second"] == {"refused": "unauthorized"}, told
        assert told["shown"] == [["first", "failed", "unauthorized"], ["second", "failed", "unauthorized"]], told
        assert told["again"] == {"ok": [{"seq": 2}, {"seq": 2}]} and told["says"] == ["first", "second"], told
        assert told["tokens"] == ["constant", "a good one"], told


#: What a node says to the second `auth`, or to any with the token that was given, and what becomes of it.
HANDED = {
    "taken": (f"({TAKES})(frame)", {"sockets": 1, "tokens": [[1, "constant"], [1, "new"]], "state": "open"}),
    "the old one ends first": ("socket === 1 ? {close: 4401} : " f"({TAKES})(frame)", {"sockets": 2, "tokens": [[1, "constant"], [1, "new"], [2, "new"]], "state": "open"}),
    "somebody else's": (f"socket === 1 ? {{type: 'reply', ref: frame.ref, error: {{code: 'forbidden', message: 'open another one'}}}} : ({TAKES})(frame)",
        {"sockets": 2, "tokens": [[1, "constant"], [1, "new"], [2, "new"]], "state": "open"}),
    "not now": (f"node.tries = (node.tries ?? 0) + 1, node.tries === 1 ? {{type: 'reply', ref: frame.ref, error: {{code: 'busy', message: 'later', retry_after: 1}}}} : ({TAKES})(frame)",
        {"sockets": 1, "tokens": [[1, "constant"], [1, "new"], [1, "new"]], "state": "open"}),
    "not now, and the old one ends first": ("socket === 2 ? " f"({TAKES})(frame) : [{{type: 'reply', ref: frame.ref, error: {{code: 'busy', message: 'later', retry_after: 1}}}}, {{close: 4401}}]",
        {"sockets": 2, "tokens": [[1, "constant"], [1, "new"], [2, "new"]], "state": "open"}),
    "wrong": ("{type: 'reply', ref: frame.ref, error: {code: 'unauthorized', message: 'no such token'}}",
        {"sockets": 2, "tokens": [[1, "constant"], [1, "new"], [2, "new"]], "state": "refused"}),
}


def test_a_token_given_on_an_open_socket_is_used_at_once(room):
    wrong = {}
    for name, (answer, want) in HANDED.items():
        told = scripted(room, f"(frame, socket, node) => frame.type === 'auth' && frame.token === 'new' ? ({answer}) : ({TAKES})(frame)", f"""async (client, node) => {{
            const conversation = client.join('{ID}');
            await node.until(() => client.state === 'open');
            client.reconnect({{token: 'new'}});
            if ({int(name.startswith("not now"))}) {{
                const asked = node.frames.length;
                await new Promise(done => setTimeout(done, 900));
                if (node.frames.slice(asked).filter(({{type}}) => type === 'auth').length > 1) return {{early: true}};
                await new Promise(done => setTimeout(done, 900));
            }}
            await new Promise(done => setTimeout(done, 300));
            const said = await node.settled(conversation.say('after'));
            return {{sockets: node.sockets, state: client.state, said, tokens: node.frames.filter(({{type}}) => type === 'auth').map(({{socket, token}}) => [socket, token])}};
        }}""")
        if told.pop("said", None) != ({"refused": "unauthorized"} if name == "wrong" else {"ok": {"seq": 2}}) or told != want:
            wrong[name] = told
    assert not wrong, wrong


def test_a_token_given_while_a_socket_opens_is_the_one_it_speaks_with(room):
    """Before the handshake, and after the old one was sent: what was said waits for the new one."""
    for when in ("true", "node.frames.some(({type}) => type === 'auth')"):
        told = scripted(room, f"(frame, socket, node) => node.frames.some((one) => one.socket === socket && one.token === 'new') ? ({TAKES})(frame) : []", f"""async (client, node) => {{
            const said = client.join('{ID}').say('once');
            await node.until(() => {when});
            client.reconnect({{token: 'new'}});
            return {{said: await node.settled(said, 3000), states: node.states.map(({{state}}) => state), spoken: node.frames.filter(({{type}}) => type === 'auth').at(-1).token}};
        }}""")
        assert told["said"] == {"ok": {"seq": 2}} and told["spoken"] == "new" and set(told["states"]) == {"connecting", "open"}, told


def test_what_the_node_asked_to_wait_for_is_waited_for(room):
    """Nothing is tried before its time: not by saying more, not by stopping again, not on another socket."""
    refusal = "error: {code: 'rate_limited', message: 'not so fast', retry_after: 2}"
    for held in ("say", "join", "cancel"):
        told = scripted(room, f"""(frame, socket, node) => {{
            if (frame.type === 'typing') return {{close: 1006}};
            if (frame.type === '{held}' && !node.first) {{
                node.first = performance.now();
                return {{type: 'reply', ref: frame.ref, {refusal}}};
            }}
            if (frame.type === '{held}') node.second ??= performance.now();
            return ({TAKES})(frame);
        }}""", f"""async (client, node) => {{
            const conversation = client.join('{ID}');
            await node.until(() => client.state === 'open' && ('{held}' === 'join' || node.frames.some(({{type}}) => type === 'join')));
            await new Promise(done => setTimeout(done, 50));
            if ('{held}' === 'cancel') conversation.delta({{turn: 1, offset: 0, text: 'x'}});
            const act = (n) => '{held}' === 'cancel' ? conversation.cancel() : conversation.say('number ' + n);
            const acts = [act(1)];
            await node.until(() => node.first);
            await new Promise(done => setTimeout(done, 50));
            for (let n = 2; n < 6; n += 1) acts.push(act(n));
            const held = conversation.entries.filter(({{author}}) => author === 'contact').map(({{error, retryAt}}) => [error?.code, retryAt - Date.now() > 1000]);
            const again = node.sockets + 1;
            conversation.typing(true);
            if ('{held}' !== 'join') await node.until(() => node.sockets === again && node.frames.some(({{type, socket}}) => type === 'join' && socket === again));
            for (const type of ['online', 'pageshow']) window.dispatchEvent(new Event(type));
            const outcomes = await node.settled(Promise.all(acts), 6000);
            return {{waited: node.second - node.first, held, outcomes, frames: node.frames.filter(({{type}}) => type === '{held}').length,
                texts: node.frames.filter(({{type}}) => type === 'say').map(({{text}}) => text), left: conversation.entries.filter(({{retryAt}}) => retryAt).length}};
        }}""")
        assert 1_990 <= told["waited"] < 3_600 and len(told["outcomes"]["ok"]) == 5, (held, told)
        numbers = [f"number {n}" for n in range(1, 6)]
        # The refused one goes twice, in its place; nothing else is sent more than once.
        assert told["frames"] == {"say": 6, "join": 2, "cancel": 2}[held], (held, told)
        assert told["texts"] == {"say": numbers[:1] + numbers, "join": numbers, "cancel": []}[held], (held, told)
        assert told["left"] == 0 and told["held"] == ([] if held == "cancel" else [["rate_limited", True]] * 5), (held, told)


def test_a_page_put_away_does_not_shorten_a_wait(room):
    for script in ("frame.type === 'auth' ? {close: 4029} : []", "frame.type === 'auth' ? {type: 'reply', ref: frame.ref, error: {code: 'busy', message: 'later', retry_after: 9}} : []"):
        told = scripted(room, f"(frame) => {script}", f"""async (client, node) => {{
            client.join('{ID}');
            await node.until(() => client.state === 'waiting');
            window.dispatchEvent(new PageTransitionEvent('pagehide', {{persisted: true}}));
            for (const type of ['pageshow', 'online']) window.dispatchEvent(new Event(type));
            document.dispatchEvent(new Event('visibilitychange'));
            await new Promise(done => setTimeout(done, 300));
            return {{sockets: node.sockets, state: client.state, waits: node.states.at(-1).retryAt - Date.now()}};
        }}""")
        assert told["sockets"] == 1 and told["state"] == "waiting" and told["waits"] > 8_000, told


def test_a_source_of_tokens_that_asks_for_time_gets_it(room):
    """From the client's requests too; somebody who asks for it by hand is not kept waiting."""
    told = scripted(room, TAKES, f"""async (client, node) => {{
        client.join('{ID}');
        await node.until(() => client.state === 'waiting');
        const outcomes = [];
        for (let n = 0; n < 3; n += 1) outcomes.push(await node.settled(client.request('/v1/conversations')));
        const before = window.asked;
        client.reconnect();
        await node.until(() => client.state === 'open');
        return {{before, outcomes, after: window.asked}};
    }}""", """{token: async () => {
        window.asked = (window.asked ?? 0) + 1;
        if (window.asked === 1) throw Object.assign(new Error('later'), {code: 'rate_limited', retryAfter: 30, status: 429});
        return 'good';
    }}""")
    assert told == {"before": 1, "outcomes": [{"refused": "rate_limited"}] * 3, "after": 2}, told


def test_who_leaves_while_the_join_is_under_way_has_left(room):
    told = scripted(room, f"""(frame, socket, node) => {{
        if (frame.type === 'join' && window.slow) return [];
        // Too many frames at once: the leave is not dealt with.
        if (frame.type === 'leave' && frame.conversation.endsWith('00') && node.busy !== false) {{
            node.busy = false;
            return {{type: 'reply', ref: frame.ref, error: {{code: 'rate_limited', message: 'not so fast', retry_after: 0.2}}}};
        }}
        return ({TAKES})(frame);
    }}""", f"""async (client, node) => {{
        const id = (n) => 'conv_' + String(n).padStart(32, '0');
        const last = client.join(id(99));
        await node.until(() => client.state === 'open');
        let joins = 0;
        let most = 0;
        for (let n = 0; n < 70; n += 1) client.join(id(n)).leave();
        await new Promise(done => setTimeout(done, 100));
        for (const {{type, conversation}} of node.frames) if (conversation !== id(99)) {{ joins += {{join: 1, leave: -1}}[type] ?? 0; most = Math.max(most, joins); }}
        // Back in mid-leave, said in mid-leave, and cut in mid-join: each is heard all the same.
        const back = client.join(id(1));
        back.leave();
        const again = client.join(id(1));
        await node.until(() => node.frames.filter(({{type, conversation}}) => type === 'join' && conversation === id(1)).length === 3);
        const left = client.join(id(2));
        left.leave();
        const said = await node.settled(left.say('while leaving'));
        window.slow = true;
        const cut = client.join(id(3));
        cut.leave();
        window.slow = false;
        const after = await node.settled(cut.say('after the cut'));
        await new Promise(done => setTimeout(done, 100));
        await node.until(() => node.frames.filter(({{type, conversation}}) => type === 'leave' && conversation === id(0)).length > 1);
        const ends = (n) => node.frames.filter(({{conversation}}) => conversation === id(n)).at(-1).type;
        return {{joins, most, heard: (await node.settled(again.say('here'))), said, after, two: ends(2), three: ends(3), one: ends(1), refused: node.frames.filter(({{type, conversation}}) => type === 'leave' && conversation === id(0)).length, last: await node.settled(last.say('x'))}};
    }}""")
    ok = {"ok": {"seq": 2}}
    assert told == {"joins": 0, "most": 1, "heard": ok, "said": ok, "after": ok, "two": "leave", "three": "leave", "one": "say", "refused": 2, "last": ok}, told


def test_a_node_forgets_who_left_in_mid_join(room):
    """A socket joins 64 conversations at most: those that were only passed by do not count."""
    page = room.page()
    page.locator("textarea").wait_for()
    contact = page.evaluate("""async () => {
        const {visitor} = await import('/web/ui/visitor.js');
        window.mine = visitor({tenant: 'demo'});
        await window.mine.ready();
        return window.mine.contact;
    }""")
    ids = [room.node.call("POST", "/v1/conversations", {"contact": contact})["id"] for _ in range(65)]
    told = page.evaluate("""async ([last, ...ids]) => {
        const {Tertulia} = await import('/web/tertulia.js');
        const client = new Tertulia({token: window.mine});
        const joined = (one) => new Promise((done) => { for (const type of ['joined', 'error']) one.addEventListener(type, ({detail}) => detail.temporary || done(detail.code ?? type)); });
        // The socket is there, and has room for all of them.
        const first = client.join(last);
        const there = await joined(first);
        first.leave();
        for (const id of ids) {
            client.join(id).leave();
            await new Promise(done => setTimeout(done, 20));
        }
        const again = await joined(client.join(last));
        client.close();
        return [there, again];
    }""", ids)
    assert told == ["joined", "joined"], told


def test_no_promise_of_the_client_stays_open(room):
    pending = {}
    acts = {
        "say after close": "client.close(); return conversation.say('late');",
        "say before close": "const said = other.say('unsent'); client.close(); return said;",
        "retry after close": "const said = conversation.say('x'); client.close(); await said.catch(() => {}); return conversation.retry(conversation.entries.at(-1).ref);",
        "cancel after close": "client.close(); return conversation.cancel();",
        "cancel before close": "node.script = () => []; const stopped = conversation.cancel(); client.close(); return stopped;",
        "say after leave": "conversation.leave(); return conversation.say('after leaving');",
        "leave with something unsent": "const said = conversation.say('before leaving'); conversation.leave(); return said;",
        "say on a client that was never opened": "const fresh = new client.constructor({token: 'x', WebSocket: class {}}); fresh.close(); return fresh.join(null).say('never');",
        "cancel over a cut": """conversation.delta({turn: 1, offset: 0, text: 'x'}); const script = node.script; node.script = (frame) => frame.type === 'cancel' ? {close: 1006} : script(frame);
            const stopped = conversation.cancel(); await node.until(() => client.state === 'waiting'); node.script = script; return stopped;""",
        "a request that nobody answers": "return client.request('/v1/never');",
        "a token that never comes": "const slow = new client.constructor({token: () => new Promise(() => {}), setTimeout: (act, ms) => setTimeout(act, Math.min(ms, 300))}); const told = new Promise(done => slow.addEventListener('state', ({detail}) => detail.state === 'waiting' && done())); slow.join('conv_1'); await told; slow.close();",
    }
    expected = {
        "say after close": "closed", "say before close": "closed", "retry after close": "closed", "cancel after close": "closed", "cancel before close": "closed",
        "say on a client that was never opened": "closed", "a request that nobody answers": "disconnected",
    }
    options = "{fetch: (_, {signal}) => new Promise((_, reject) => { if (signal) setTimeout(() => reject(signal.reason ?? new Error('gave up')), 50); })}"
    for name, act in acts.items():
        told = scripted(room, TAKES, f"""async (client, node) => {{
            const conversation = client.join('{ID}');
            const other = client.join('conv_' + '1'.repeat(32));
            await node.until(() => client.state === 'open');
            await new Promise(done => setTimeout(done, 50));
            return node.settled((async () => {{ {act} }})(), 3000);
        }}""", options)
        want = {"refused": expected[name]} if name in expected else None
        if told == "pending" or (want and told != want) or (not want and "ok" not in told):
            pending[name] = told
    assert not pending, pending


def test_a_reply_is_whole_whatever_a_checkpoint_brings(room):
    """Who has the words as deltas gets a checkpoint without them; who comes later gets it with them. A thought
    that was said aloud is blanked, as far as it is here, and what follows it keeps its place."""
    told = room.page().evaluate("""async () => {
        const {Transcript} = await import('/web/tertulia.js');
        const event = (seq, more) => ({seq, at: '2026-01-01T00:00:00Z', author: 'assistant', ...more});
        const shown = (acts) => { const one = new Transcript(); one.take(event(1, {type: 'opened'})); one.take(event(2, {type: 'turn_started', turn: 1})); for (const act of acts) act(one); return [one.entries[0].text, one.position, one.head]; };
        const delta = (offset, text) => (one) => one.delta({turn: 1, offset, text});
        const stored = (seq, more) => (one) => one.take(event(seq, {type: 'checkpoint', turn: 1, ...more}));
        const end = (one) => one.take(event(9, {type: 'message', turn: 1, text: 'abcdef', end: 'completed', answers: 1}));
        return {
            live: shown([delta(0, 'abc'), stored(3, {offset: 0, chars: 3}), delta(3, 'def')]),
            liveAgain: shown([delta(0, 'abcdef'), stored(3, {offset: 0, chars: 3}), stored(4, {offset: 3, chars: 3})]),
            late: shown([stored(3, {offset: 0, text: 'ab🌿'}), delta(3, 'def')]),
            lateWhole: shown([stored(3, {offset: 0, text: 'abc'}), delta(0, 'abcdef')]),
            behind: shown([stored(3, {offset: 0, chars: 3}), delta(0, 'abcd')]),
            ended: shown([delta(0, 'abc'), stored(3, {offset: 0, chars: 3}), end, stored(10, {offset: 3, text: 'zzz'})]),
            unsaid: shown([delta(0, 'abcdef'), stored(3, {offset: 0, chars: 6, unsaid: 3}), delta(6, 'ghi')]),
            unsaidAll: shown([delta(0, 'abc'), stored(3, {offset: 0, chars: 3, unsaid: 0}), delta(3, 'd')]),
            unsaidBeforeThePiece: shown([delta(0, 'abcdef'), stored(3, {offset: 0, chars: 3}), stored(4, {offset: 3, chars: 3, unsaid: 1})]),
            unsaidLate: shown([stored(3, {offset: 0, text: 'ab🌿'}), stored(4, {offset: 3, text: '\\n\\n', unsaid: 1}), delta(5, 'e')]),
            unsaidInUnits: shown([delta(0, '🌿a🌿b🌿c'), stored(3, {offset: 0, chars: 5, unsaid: 2})]),
            unsaidWithMoreHere: shown([delta(0, 'abcdef'), stored(3, {offset: 0, chars: 4, unsaid: 2})]),
            unsaidWithLessHere: shown([delta(0, 'abc'), stored(3, {offset: 0, chars: 6, unsaid: 1}), delta(3, '\\n\\n\\ng')]),
            unsaidOfNothingHere: shown([stored(3, {offset: 4, chars: 4, unsaid: 6}), delta(0, 'abcd')]),
            unsaidAndEnded: shown([delta(0, 'abcxyz'), stored(3, {offset: 0, chars: 6, unsaid: 3}), end, stored(10, {offset: 6, chars: 3, unsaid: 0})]),
        };
    }""")
    assert told == {
        "live": ["abcdef", "3:1:6", 3], "liveAgain": ["abcdef", "4:1:6", 4], "late": ["ab🌿def", "3:1:6", 3], "lateWhole": ["abcdef", "3:1:6", 3],
        "behind": ["abcd", "3:1:4", 3], "ended": ["abcdef", 10, 10],
        "unsaid": ["abc\n\n\nghi", "3:1:9", 3], "unsaidAll": ["\n\n\nd", "3:1:4", 3], "unsaidBeforeThePiece": ["a\n\n\n\n\n", "4:1:6", 4],
        "unsaidLate": ["a\n\n\n\ne", "4:1:6", 4], "unsaidInUnits": ["🌿a\n\n\nc", "3:1:6", 3], "unsaidWithMoreHere": ["ab\n\nef", "3:1:6", 3],
        "unsaidWithLessHere": ["a\n\n\n\n\ng", "3:1:7", 3], "unsaidOfNothingHere": ["abcd", "3:1:4", 3], "unsaidAndEnded": ["abcdef", 10, 10],
    }, told


def test_pages_of_events_that_hold_fewer_than_asked_are_read_to_their_end(room):
    page = room.page()
    say(page, "quote one.")
    finished(page)
    for count in range(2, 6):
        say(page, f"quote number {count}.")
        finished(page, count)
    # Bounded in bytes: two events a page, however many were asked for.
    page.route("**/events?*", lambda route: cut_short(route))
    whole = page.evaluate("""async (id) => {
        const {Tertulia} = await import('/web/tertulia.js');
        const {visitor} = await import('/web/ui/visitor.js');
        const client = new Tertulia({token: visitor({tenant: 'demo'})});
        const page = await client.request(`/v1/conversations/${id}/events?after=0&limit=500`);
        const conversation = client.join(id, {after: page.head});
        await new Promise(done => conversation.addEventListener('caughtup', done, {once: true}));
        conversation.missing = [1, page.head];
        await conversation.earlier(500);
        client.close();
        return {head: page.head, missing: conversation.missing, said: conversation.entries.filter(({author}) => author === 'contact').map(({text}) => text)};
    }""", page.evaluate("location.hash.slice(1)"))
    assert whole["missing"] is None and whole["said"] == ["quote one."] + [f"quote number {count}." for count in range(2, 6)], whole


def cut_short(route):
    answer = route.fetch()
    body = answer.json()
    body["events"] = body["events"][:2]
    route.fulfill(response=answer, json=body)


def test_an_answer_without_a_token_is_tried_again_and_never_sent(room):
    """A hiccup of the site's own server, whatever it answers, ends no chat."""
    for answer in ("{error: 'x'}", "null", "undefined", "''", "{token: ''}", "{token: 7}", "'not yet'.length"):
        told = scripted(room, TAKES, f"""async (client, node) => {{
            const conversation = client.join('{ID}');
            const said = node.settled(conversation.say('kept'), 6000);
            const asked = await said;
            const [first] = node.states.filter(({{state}}) => state === 'waiting');
            return {{said: asked, state: client.state, code: first?.error?.code, auth: node.frames.filter(({{type}}) => type === 'auth').map(({{token}}) => token), refused: node.states.some(({{state}}) => state === 'refused')}};
        }}""", f"{{token: async () => {{ window.asked = (window.asked ?? 0) + 1; return window.asked < 4 ? {answer} : 'good'; }}}}")
        assert told == {"said": {"ok": {"seq": 2}}, "state": "open", "code": "no_token", "auth": ["good"], "refused": False}, (answer, told)


def test_a_tab_that_is_needed_comes_back_at_once(room):
    """Sent away for newer ones; not so often that two tabs push each other out all the time."""
    away = "[{type: 'going_away', retry_after_ms: 30000}, {close: 4013}]"
    acts = {"say": "conversation.say('x')", "typing": "conversation.typing(true)", "look": "document.dispatchEvent(new Event('visibilitychange'))"}
    for name, act in acts.items():
        told = scripted(room, f"(frame, socket) => frame.type === 'join' && socket < 3 ? {away} : ({TAKES})(frame)", f"""async (client, node) => {{
            const conversation = client.join('{ID}');
            await node.until(() => client.state === 'waiting');
            const {{elsewhere}} = node.states.at(-1);
            const began = performance.now();
            {act};
            await node.until(() => node.sockets === 2);
            const took = performance.now() - began;
            await node.until(() => client.state === 'waiting');
            {act};
            await new Promise(done => setTimeout(done, 1500));
            return {{elsewhere, took, sockets: node.sockets}};
        }}""")
        assert told["elsewhere"] and told["took"] < 500 and told["sockets"] == 2, (name, told)
