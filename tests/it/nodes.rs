//! Several nodes share a store: a conversation has one owner, sessions on any node have all of it, and whatever becomes
//! of nodes and of the links between them, what was acknowledged is there once and everybody has seen it.

mod due;
mod installation;
mod owner;
mod taker;
mod visitor;

use std::rc::Rc;
use std::time::Duration;

use engine_conversation::{Command, Speaker};
use engine_store::{Log, StoreError};
use installation::{Ear, Installation, LONG, Node, run};
use schema::wire::SignalKind;
use schema::{Author, ConversationKey, End, ErrorCode, Event, Fact, Position, Reached};
use tests::bench::says;
use tests::peers::Speed;
use tests::stream::reply_of;
use tokio::time::{Instant, sleep};

const START: Position = Position::after(0);

/// Everything that was said under a ref is in the log once.
fn once(log: &[Event], refs: &[&str]) {
    for r#ref in refs {
        let said =
            |event: &&Event| matches!(&event.fact, Fact::Message { r#ref: Some(of), .. } if of.as_str() == *r#ref);
        assert_eq!(log.iter().filter(said).count(), 1, "{ref}");
    }
}

/// Waits until a conversation has an owner that is among these.
async fn owned_by(world: &Installation, key: ConversationKey, nodes: &[&Node]) {
    let until = Instant::now() + LONG;
    loop {
        let owner = world.owner(key).await;
        if nodes.iter().any(|node| owner == Some(node.id)) {
            return;
        }
        assert!(Instant::now() < until, "{owner:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// The log once so many replies have ended.
async fn ended(world: &Installation, key: ConversationKey, replies: usize) -> Vec<Event> {
    let until = Instant::now() + LONG;
    loop {
        let log = world.log(key).await;
        if log.iter().filter(|event| reply_of(event).is_some()).count() >= replies {
            return log;
        }
        assert!(Instant::now() < until, "{} events", log.len());
        sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_session_on_another_node_has_all_of_a_conversation() {
    run(|world| async move {
        let [a, b] = world.nodes().await;
        let key = a.open(world.tenant).await;
        let mut ana = Ear::at(&a, key, START).await;
        let mut bo = Ear::at(&b, key, START).await;
        let say = world.speakers.next();
        let asked = b.submit(key, says("r1", "What is new?")).await.unwrap().seq.unwrap();
        ana.has(asked).await;
        bo.has(asked).await;
        say.send("Grüß ".into()).unwrap();
        bo.hears("Grüß ").await;
        // Who comes late has the text so far, and who comes back from the middle goes on there.
        let mut late = Ear::at(&b, key, Position::after(asked)).await;
        late.hears("Grüß ").await;
        say.send("dich".into()).unwrap();
        for ear in [&mut ana, &mut bo, &mut late] {
            ear.hears("Grüß dich").await;
        }
        let mut back = Ear::new();
        back.heard = "Grü".into();
        back.join(&b, key, Position { seq: asked, reached: Some(Reached { turn: 1, offset: 3 }) }).await.unwrap();
        back.hears("Grüß dich").await;

        let view = b.on(move |worker| async move { worker.find(key).await?.view().await }).await.unwrap();
        assert_eq!((view.head, view.running.map(|running| running.offset)), (asked + 1, Some(9)), "the turn has begun");
        assert_eq!(view.subscribers, 4, "wherever they are");
        let (from_a, from_b) = (ana.session, bo.session);
        let types = |session, author| {
            move |worker: Rc<actors::Worker>| async move {
                worker.find(key).await.unwrap().signal(session, author, SignalKind::Typing { on: true });
            }
        };
        a.on(types(from_a, Author::Human)).await;
        b.on(types(from_b, Author::Contact)).await;
        ana.until(|ear| ear.signals.len() == 1).await;
        bo.until(|ear| ear.signals.len() == 1).await;
        late.until(|ear| ear.signals.len() == 2).await;

        b.submit(key, Command::Cancel { turn: Some(1) }).await.unwrap();
        assert!(in_virtual(say.closed()).await, "the model is stopped");
        for ear in [&mut ana, &mut bo, &mut late, &mut back] {
            ear.reply("Grüß dich").await;
            let reply = ear.events.last().and_then(reply_of).unwrap();
            assert_eq!(reply.end, End::Cancelled);
        }
        // The same again is stored once, and answered with the same event.
        let again = b.submit(key, says("r1", "What is new?")).await.unwrap().seq.unwrap();
        assert_eq!(again, asked);
        let refused = b.submit(key, Command::HandBack { agent: "Ines".to_owned().into() }).await;
        assert!(refused.is_ok(), "{refused:?}");
        let taken = Command::Say {
            speaker: Speaker::Agent("Ines".to_owned().into()),
            r#ref: "r2".parse().unwrap(),
            text: "Hm".into(),
        };
        assert_eq!(b.submit(key, taken).await.unwrap_err().code, ErrorCode::WrongState, "as its owner says");
        let beyond = Ear::new().join(&b, key, Position::after(999)).await.unwrap_err();
        assert_eq!(beyond.code, ErrorCode::BadPosition);
        assert_eq!((world.owner(key).await, world.claims(key).await), (Some(a.id), 1));
        once(&world.log(key).await, &["r1"]);
    });
}

async fn in_virtual<T>(what: impl Future<Output = T>) -> bool {
    tokio::time::timeout(LONG, what).await.is_ok()
}

#[test]
fn a_relay_rests_when_nobody_listens_and_its_owner_after_it() {
    run(|world| async move {
        let [a, b] = world.nodes().await;
        let key = a.open(world.tenant).await;
        let ana = Ear::at(&a, key, START).await;
        let bo = Ear::at(&b, key, START).await;
        b.submit(key, says("r1", "What is new?")).await.unwrap();
        b.system.leave(key, bo.session);
        a.system.leave(key, ana.session);
        sleep(Duration::from_secs(15)).await;
        assert_eq!(world.claims(key).await, 1);
        // At rest everywhere: whoever needs it next has it.
        let mut bo = Ear::at(&b, key, START).await;
        assert_eq!((world.owner(key).await, world.claims(key).await), (Some(b.id), 2));
        let asked = a.submit(key, says("r2", "And now?")).await.unwrap().seq.unwrap();
        bo.has(asked).await;
        assert_eq!(world.owner(key).await, Some(b.id));
    });
}

#[test]
fn slow_sessions_and_slow_links_miss_nothing() {
    // Bytes a second of the link, and whether the session on the far side sleeps meanwhile.
    for (bytes, sleeps) in [(None, true), (Some(20_000), false), (Some(20_000), true)] {
        run(move |world| async move {
            let [a, b] = world.nodes().await;
            world.lay(&a, &b, &Speed { bytes, ..Speed::default() });
            sleep(Duration::from_millis(20)).await;
            let key = a.open(world.tenant).await;
            let _ana = Ear::at(&a, key, START).await;
            let mut bo = Ear::at(&b, key, START).await;
            let mut all = String::new();
            let mut most = 0;
            for n in 0..6 {
                let say = world.speakers.next();
                let r#ref = format!("r{n}");
                a.submit(key, says(&r#ref, "Tell me more.")).await.unwrap();
                all.clear();
                for piece in 0..40 {
                    let piece = format!("{piece} {} ", "ü".repeat(400));
                    all.push_str(&piece);
                    say.send(piece).unwrap();
                    sleep(Duration::from_millis(5)).await;
                    most = most.max(bo.outbox.waiting_bytes());
                    if !sleeps {
                        bo.until(Ear::has_all).await;
                    }
                }
                drop(say);
                ended(&world, key, n + 1).await;
            }
            let log = ended(&world, key, 6).await;
            bo.has(log.len() as u64).await;
            assert!(bo.events.iter().filter_map(installation::said).any(|said| said == all));
            assert_eq!(bo.events.len(), log.len());
            assert!(most <= 2 * schema::limits::OUTBOX_SLOW_BYTES + 64 * 1024, "{most} bytes waited");
            assert_eq!(world.claims(key).await, 1);
        });
    }
}

#[test]
fn sessions_go_on_elsewhere_when_the_owner_dies() {
    // Who owns it, how long nobody knows that it is dead, whether the link notices before that.
    for (unnoticed, known_after) in [(0, 3_000), (5_000, 3_000), (0, 0)] {
        run(move |world| async move {
            let [a, b, c] = world.nodes().await;
            let silent = Speed { unnoticed: Duration::from_millis(unnoticed), ..Speed::default() };
            world.lay(&a, &b, &silent);
            world.lay(&a, &c, &silent);
            sleep(Duration::from_millis(20)).await;
            let key = a.open(world.tenant).await;
            let _ana = Ear::at(&a, key, START).await;
            let (mut bo, mut cy) = (Ear::at(&b, key, START).await, Ear::at(&c, key, START).await);
            let say = world.speakers.next();
            let asked = b.submit(key, says("r1", "What is new?")).await.unwrap().seq.unwrap();
            say.send("Once upon a time".into()).unwrap();
            bo.hears("Once upon a time").await;
            cy.hears("Once upon a time").await;
            let dead = a.id;
            a.crash();
            sleep(Duration::from_millis(known_after / 2)).await;
            assert_eq!(world.claims(key).await, 1, "that it does not answer says nothing");
            sleep(Duration::from_millis(known_after / 2)).await;
            world.membership.goes(dead);
            let gone = Instant::now();
            // What ran is marked or done anew by whoever has it now, and both hear it.
            let ended =
                |ear: &Ear| ear.events.iter().any(|event| reply_of(event).is_some_and(|reply| reply.answers >= asked));
            bo.until(ended).await;
            assert!(gone.elapsed() < Duration::from_secs(2), "it took {:?}", gone.elapsed());
            cy.until(ended).await;
            let next = c.submit_until_taken(key, says("r2", "And then?")).await.seq.unwrap();
            bo.has(next).await;
            cy.has(next).await;
            assert!(bo.told.is_empty() && cy.told.is_empty(), "their sessions heard nothing of it");
            once(&world.log(key).await, &["r1", "r2"]);
            assert!(world.claims(key).await <= 3, "claimed {} times", world.claims(key).await);
            let owner = world.owner(key).await;
            assert!(owner == Some(b.id) || owner == Some(c.id));
        });
    }
}

#[test]
fn who_is_held_for_dead_and_lives_leads_its_sessions_to_the_new_owner() {
    // Whether a session comes to it that has seen the new owner's events, or nothing tells it but the others, who are
    // right in the second case while the store does not say so.
    for (comes_back, is_hidden) in [(true, false), (false, false), (false, true)] {
        run(move |world| async move {
            let [a, b] = world.nodes().await;
            let key = a.open(world.tenant).await;
            let (mut ana, mut bo) = (Ear::at(&a, key, START).await, Ear::at(&b, key, START).await);
            world.cut(&a, &b);
            sleep(Duration::from_millis(100)).await;
            world.membership.goes(a.id);
            let asked = b.submit_until_taken(key, says("r1", "What is new?")).await.seq.unwrap();
            bo.has(asked).await;
            assert_eq!(world.owner(key).await, Some(b.id));
            // It does not know; and then it does.
            sleep(Duration::from_secs(2)).await;
            assert!(ana.events.iter().all(|event| event.seq < asked));
            if comes_back {
                // Whoever has seen more elsewhere is not told that there is no such position.
                let refused = Ear::new().join(&a, key, Position::after(asked)).await.unwrap_err();
                assert_eq!((refused.code, refused.retry_after.is_some()), (ErrorCode::Restarting, true));
            }
            world.store.hide_owners(is_hidden);
            world.membership.comes(a.id);
            world.lay(&a, &b, &Speed::default());
            if is_hidden {
                sleep(Duration::from_secs(5)).await;
                world.store.hide_owners(false);
            }
            ana.has(asked).await;
            let next = a.submit_until_taken(key, says("r2", "And now?")).await.seq.unwrap();
            ana.has(next).await;
            bo.has(next).await;
            assert_eq!((world.owner(key).await, world.claims(key).await), (Some(b.id), 2), "nobody claims it back");
            once(&world.log(key).await, &["r1", "r2"]);
        });
    }
}

#[test]
fn who_is_held_for_dead_and_can_be_reached_leads_its_sessions_to_the_new_owner() {
    run(|world| async move {
        let [a, b] = world.nodes().await;
        let keys = [a.open(world.tenant).await, a.open(world.tenant).await];
        let [first, second] = keys;
        let mut heard = [Ear::at(&a, first, START).await, Ear::at(&a, second, START).await];
        world.cut(&a, &b);
        sleep(Duration::from_millis(100)).await;
        world.membership.goes(a.id);
        // The link is made anew: it alone does not bring a node back. What is claimed later is told as well.
        world.lay(&a, &b, &Speed::default());
        for (key, ana) in keys.into_iter().zip(&mut heard) {
            sleep(Duration::from_secs(3)).await;
            let asked = b.submit_until_taken(key, says("r1", "What is new?")).await.seq.unwrap();
            assert_eq!(world.owner(key).await, Some(b.id));
            ana.has(asked).await;
        }
    });
}

#[test]
fn an_owner_that_is_fenced_while_it_speaks_does_not_claim_back() {
    run(|world| async move {
        let [a, b] = world.nodes().await;
        let key = a.open(world.tenant).await;
        let mut ana = Ear::at(&a, key, START).await;
        world.cut(&a, &b);
        sleep(Duration::from_millis(100)).await;
        world.membership.goes(a.id);
        let mut bo = Ear::at(&b, key, START).await;
        assert_eq!(world.owner(key).await, Some(b.id));
        world.membership.comes(a.id);
        // Without a link it learns it from the store, and can serve nobody.
        let refused = a.submit(key, says("r1", "Am I heard?")).await.unwrap_err();
        assert_eq!((refused.code, refused.retry_after.is_some()), (ErrorCode::Restarting, true));
        sleep(Duration::from_secs(5)).await;
        assert_eq!((world.owner(key).await, world.claims(key).await), (Some(b.id), 2));
        world.lay(&a, &b, &Speed::default());
        let asked = a.submit_until_taken(key, says("r1", "Am I heard?")).await.seq.unwrap();
        ana.has(asked).await;
        bo.has(asked).await;
        assert_eq!((world.owner(key).await, world.claims(key).await), (Some(b.id), 2));
        once(&world.log(key).await, &["r1"]);
    });
}

#[test]
fn of_many_that_claim_one_becomes_the_owner() {
    run(|world| async move {
        let [a, b, c, d] = world.nodes().await;
        let keys = [a.open(world.tenant).await, a.open(world.tenant).await, a.open(world.tenant).await];
        let mut ears = Vec::new();
        for key in keys {
            let _ana = Ear::at(&a, key, START).await;
            for node in [&b, &c, &d] {
                ears.push((key, Ear::at(node, key, START).await));
            }
        }
        let dead = a.id;
        a.crash();
        world.membership.goes(dead);
        for key in keys {
            owned_by(&world, key, &[&b, &c, &d]).await;
        }
        sleep(Duration::from_secs(2)).await;
        let mut asked = Vec::new();
        for key in keys {
            let seq = b.submit_until_taken(key, says("r1", "What is new?")).await.seq.unwrap();
            asked.push((key, seq));
        }
        for (key, ear) in &mut ears {
            let (_, seq) = asked.iter().find(|(of, _)| of == key).unwrap();
            ear.has(*seq).await;
            assert!(ear.told.is_empty(), "{:?}", ear.told);
        }
        sleep(Duration::from_secs(10)).await;
        for key in keys {
            assert_eq!(world.claims(key).await, 2, "one claim when it was opened, one after its death");
            once(&world.log(key).await, &["r1"]);
        }
    });
}

#[test]
fn two_that_live_and_cannot_reach_each_other_steal_nothing() {
    // Whether the link is known to be gone; or from which end nothing arrives, with nobody noticing for a while.
    for case in ["cut", "owner is not heard", "owner hears nothing"] {
        run(move |world| async move {
            let [a, b] = world.nodes().await;
            let key = a.open(world.tenant).await;
            let (mut ana, mut bo) = (Ear::at(&a, key, START).await, Ear::at(&b, key, START).await);
            match case {
                "cut" => world.cut(&a, &b),
                "owner is not heard" => world.silence(&a, &b),
                _ => world.silence(&b, &a),
            }
            let began = Instant::now();
            let refused = b.submit(key, says("r1", "Is anybody there?")).await.unwrap_err();
            assert_eq!((refused.code, refused.retry_after.is_some()), (ErrorCode::Restarting, true), "{case}");
            assert!(began.elapsed() <= 3 * schema::limits::ASK_MAX, "{case}: {:?}", began.elapsed());
            let asked = a.submit(key, says("r2", "And here?")).await.unwrap().seq.unwrap();
            ana.has(asked).await;
            sleep(Duration::from_secs(8)).await;
            assert_eq!((world.owner(key).await, world.claims(key).await), (Some(a.id), 1), "{case}");
            // The transport has found out.
            world.lay(&a, &b, &Speed::default());
            bo.has(asked).await;
            let last = b.submit_until_taken(key, says("r1", "Is anybody there?")).await.seq.unwrap();
            ana.has(last).await;
            bo.has(last).await;
            assert!(bo.told.is_empty(), "{case}: its session heard nothing of it");
            assert_eq!((world.owner(key).await, world.claims(key).await), (Some(a.id), 1), "{case}");
            once(&world.log(key).await, &["r1", "r2"]);
        });
    }
}

#[test]
fn a_drain_hands_over_at_once_and_no_wish_is_lost() {
    for speaks in [false, true] {
        run(move |world| async move {
            let [a, b] = world.nodes().await;
            let key = a.open(world.tenant).await;
            let (mut ana, mut bo) = (Ear::at(&a, key, START).await, Ear::at(&b, key, START).await);
            let say = world.speakers.next();
            if speaks {
                b.submit(key, says("r0", "Tell me.")).await.unwrap();
                say.send("Well".into()).unwrap();
                bo.hears("Well").await;
            }
            let drains = std::sync::Arc::clone(&a.system);
            let drained = tokio::task::spawn_local(async move {
                drains.drain(Instant::now() + Duration::from_secs(20), Duration::from_secs(2)).await;
            });
            sleep(Duration::from_millis(500)).await;
            if speaks {
                assert_eq!(world.owner(key).await, Some(a.id), "what runs may end");
                say.send(".".into()).unwrap();
                drop(say);
                bo.reply("Well.").await;
            }
            let began = Instant::now();
            owned_by(&world, key, &[&b]).await;
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
            drained.await.unwrap();
            ana.until(|ear| !ear.told.is_empty()).await;
            assert_eq!(ana.told[0].code, ErrorCode::Draining);
            // Whoever stays is served from there until the end.
            a.submit(key, says("r2", "And here?")).await.unwrap();
            // It does as it is told, and comes elsewhere.
            let mut again = Ear::at(&b, key, Position::after(ana.events.last().unwrap().seq)).await;
            let asked = b.submit(key, says("r1", "And here?")).await.unwrap().seq.unwrap();
            again.has(asked).await;
            bo.has(asked).await;
            assert!(bo.told.is_empty(), "{:?}", bo.told);
            assert_eq!(world.claims(key).await, 2);
            once(&world.log(key).await, &["r1", "r2"]);
        });
    }
}

#[test]
fn what_is_erased_is_erased_wherever_it_is_awake() {
    for awake in [true, false] {
        run(move |world| async move {
            let [a, b] = world.nodes().await;
            let key = a.open(world.tenant).await;
            let mut ears = Vec::new();
            if awake {
                ears = vec![Ear::at(&a, key, START).await, Ear::at(&b, key, START).await];
                a.submit(key, says("r1", "My number is 12.")).await.unwrap();
            }
            let system = std::sync::Arc::clone(&b.system);
            b.on(move |_| async move { system.erase(key).await }).await.unwrap();
            assert_eq!(world.store.owner(key).await.unwrap_err(), StoreError::NotFound);
            for ear in &mut ears {
                ear.until(|ear| !ear.told.is_empty()).await;
                assert_eq!(ear.told[0].code, ErrorCode::UnknownConversation);
            }
            let found = a.submit(key, says("r2", "Hello?")).await.unwrap_err();
            assert_eq!(found.code, ErrorCode::UnknownConversation);
        });
    }
}

#[test]
fn an_erasure_waits_until_it_is_known_who_has_it() {
    run(|world| async move {
        let [a, b] = world.nodes().await;
        let key = a.open(world.tenant).await;
        let mut ear = Ear::at(&a, key, START).await;
        world.store.hide_owners(true);
        let erase = || {
            let system = std::sync::Arc::clone(&b.system);
            b.on(move |_| async move { system.erase(key).await })
        };
        assert_eq!(erase().await.unwrap_err().code, ErrorCode::StoreUnavailable);
        sleep(Duration::from_secs(1)).await;
        world.store.hide_owners(false);
        let said = a.submit(key, says("r1", "My number is 12.")).await.unwrap().seq.unwrap();
        ear.has(said).await;
        assert!(ear.told.is_empty(), "it goes on where it is: {:?}", ear.told);
        erase().await.unwrap();
        ear.until(|ear| !ear.told.is_empty()).await;
        assert_eq!(ear.told[0].code, ErrorCode::UnknownConversation);
    });
}
