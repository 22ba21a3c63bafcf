"""Agents at work with the JavaScript client: with a token of their own, on the node's page and on one of the tenant's."""

#: An agent takes a conversation over, writes, hands back and closes it; then the client is closed.
WORK = """async ([url, token, id]) => {
    const {Tertulia} = await import(`${url}/web/tertulia.js`);
    const desk = new Tertulia({url, token, agent: 'Zoe'});
    const conversation = desk.join(id);
    await new Promise((heard) => conversation.addEventListener('caughtup', heard, {once: true}));
    await conversation.takeOver();
    const {seq} = await conversation.say('Zoe here.');
    const said = conversation.entries.filter(({text}) => text === 'Zoe here.').map(({author, agent, status}) => [author, agent, status]);
    const refused = (wish) => wish.then(() => null, ({code}) => code);
    const as = await refused(conversation.takeOver({agent: 'Yan'}));
    await conversation.handBack();
    await conversation.close();
    desk.close();
    return {seq, said, as, late: await refused(conversation.close())};
}"""

#: What becomes of a client with a credential that the page may not use.
SHUT_OUT = """async ([url, token, id]) => {
    const {Tertulia} = await import(`${url}/web/tertulia.js`);
    const client = new Tertulia({url, token});
    const told = new Promise((resolve) => client.addEventListener('state', ({detail}) => {
        if (['refused', 'closed'].includes(detail.state)) resolve([detail.state, detail.code, detail.error?.code]);
    }));
    client.join(id);
    return told;
}"""


def made(room, **asked):
    return room.node.call("POST", "/v1/agents", {"agent": "Zoe", **asked})["token"]


def opened(room):
    return room.node.call("POST", "/v1/conversations", {"contact": "ana"})["id"]


def works(room, page, token):
    conversation = opened(room)
    told = page.evaluate(WORK, [room.url, token, conversation])
    assert told == {"seq": 3, "said": [["human", "Zoe", "sent"]], "as": "forbidden", "late": "closed"}, told
    facts = [(event["type"], event.get("agent")) for event in room.node.events(conversation)]
    assert facts == [("opened", None), ("taken_over", "Zoe"), ("message", "Zoe"), ("handed_back", "Zoe"), ("closed", None)], facts


def test_an_agent_works_on_the_nodes_own_page_and_on_the_tenants(room):
    shop = room.shop.url
    room.node.allow(*room.own(), shop)
    works(room, room.page(), made(room))
    works(room, room.page(shop), made(room, origin=shop))


def test_a_page_of_another_origin_is_not_let_in_by_what_is_not_its_own(room):
    from node import KEY

    shop = room.shop.url
    room.node.allow(*room.own(), shop)
    conversation = opened(room)
    page = room.page(shop)
    told = [page.evaluate(SHUT_OUT, [room.url, token, conversation]) for token in (KEY, made(room))]
    assert told == [["refused", 4501, "forbidden"], ["closed", 4503, "origin_refused"]], told
    # The node's own page may use both, and no other's token.
    own = room.page()
    told = own.evaluate(SHUT_OUT, [room.url, made(room, origin=shop), conversation])
    assert told == ["closed", 4503, "origin_refused"], told
