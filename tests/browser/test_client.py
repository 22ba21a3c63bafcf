"""The JavaScript client: what it makes of each way in which a socket ends."""

import signal

from room import finished, grown, say, text
from stub import expected

#: Close code, and what the client does: comes `back`, or has `ended`.
CLOSES = [
    (1001, "back"), (1006, "back"), (1011, "back"), (1012, "back"),
    (4000, "back"), (4008, "back"), (4009, "back"), (4029, "back"), (4499, "back"),
    (4501, "ended"), (4503, "ended"), (4504, "ended"), (4999, "ended"),
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
        if (client.state === 'waiting' || client.state === 'closed') resolve({state: client.state, pause: (detail.retryAt ?? 0) - Date.now()});
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
        if told["state"] != {"back": "waiting", "ended": "closed"}[does]:
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
