//! What is due is done once, whichever node looks first, by the one that has the conversation awake.

use std::time::Duration;

use actors::ProfileRecord;
use schema::{ConversationKey, Fact, Profile};
use tests::bench::says;
use tokio::time::sleep;

use super::START;
use super::installation::{Ear, Installation, run};

const HOUR: Duration = Duration::from_secs(3_600);

/// Conversations close after an hour.
async fn close_after_an_hour(world: &Installation) {
    let mut profile = Profile::default();
    profile.floor.close_after_hours = 1;
    ProfileRecord::save(&world.store, world.tenant, 0, &profile).await.unwrap();
}

async fn closed(world: &Installation, key: ConversationKey) -> usize {
    world.log(key).await.iter().filter(|event| matches!(event.fact, Fact::Closed { .. })).count()
}

#[test]
fn what_is_due_is_done_once_by_whoever_has_it() {
    // Where the conversation is when its hour comes, and how often it is claimed until it is closed.
    for (case, claims) in [("awake", 1), ("at rest", 2), ("owner is dead", 2), ("owner cannot be reached", 2)] {
        run(move |world| async move {
            close_after_an_hour(&world).await;
            let [a, b, c] = world.nodes().await;
            // It attends to nothing, and the others' shares are as if it were not there.
            let _edge = world.start_without();
            // Some fall to each node.
            let mut keys = Vec::new();
            let mut ears = Vec::new();
            for n in 0..6 {
                let key = a.open(world.tenant).await;
                let (ana, mut bo) = (Ear::at(&a, key, START).await, Ear::at(&b, key, START).await);
                b.submit(key, says(&format!("r{n}"), "Hello?")).await.unwrap();
                bo.reply("Yes.").await;
                assert_eq!((world.owner(key).await, world.claims(key).await), (Some(a.id), 1));
                if case == "awake" {
                    ears.push((ana, bo));
                } else {
                    b.system.leave(key, bo.session);
                    a.system.leave(key, ana.session);
                }
                keys.push(key);
            }
            sleep(Duration::from_secs(60)).await;
            let owner = a.id;
            match case {
                "owner is dead" => {
                    world.membership.goes(owner);
                    a.crash();
                }
                "owner cannot be reached" => {
                    world.cut(&a, &b);
                    world.cut(&a, &c);
                }
                _ => {}
            }
            sleep(HOUR).await;
            for key in keys {
                assert_eq!(closed(&world, key).await, 1, "{case}");
                assert_eq!(world.claims(key).await, claims, "{case}");
                if matches!(case, "awake" | "owner cannot be reached") {
                    assert_eq!(world.owner(key).await, Some(owner), "{case}");
                }
            }
            for (mut ana, mut bo) in ears {
                for ear in [&mut ana, &mut bo] {
                    ear.until(|ear| ear.events.iter().any(|event| matches!(event.fact, Fact::Closed { .. }))).await;
                }
            }
        });
    }
}
