//! Whether a world that was healed becomes quiet: everything is said and seen, and what nobody needs rests.

use std::rc::Rc;
use std::time::Duration;

use schema::wire::ConversationView;
use tokio::time::{Instant, sleep};

use super::client::Shared;
use super::replay;
use super::world::World;

/// Longest wait for conversations to come to rest when everybody has gone.
const RESTING_MAX: Duration = Duration::from_secs(60);

impl World {
    /// Everybody goes: what nobody listens to and nobody works at comes to rest. Gives what does not.
    pub(super) async fn at_rest(&self) -> Option<String> {
        self.ended.cancel();
        let deadline = Instant::now() + RESTING_MAX;
        loop {
            sleep(Duration::from_millis(500)).await;
            let busy = self.up().iter().flatten().map(|node| node.worker().system().listeners()).sum::<u32>();
            if busy == 0 {
                return None;
            }
            if Instant::now() >= deadline {
                return Some(format!("{busy} conversations never rest, though nobody listens any more"));
            }
        }
    }

    /// Waits until everything is said, every turn has ended and everybody has seen it. Whether a turn
    /// has ended is asked of the conversation alone: its word is held against the log afterwards.
    pub(super) async fn settled(self: &Rc<Self>, clients: &[Vec<Shared>]) -> Vec<ConversationView> {
        loop {
            sleep(Duration::from_millis(200)).await;
            let quiet = (0..self.keys.len()).all(|n| self.is_quiet(n, &clients[n]));
            if !quiet {
                continue;
            }
            let mut views = Vec::new();
            for key in self.keys.clone() {
                let view = self.on_node(0, move |worker| async move { worker.find(key).await?.view().await }).await;
                views.extend(view);
            }
            let idle = views.len() == self.keys.len()
                && views.iter().all(|view| view.running.is_none() && view.floor != "listening");
            if idle
                && (0..self.keys.len())
                    .all(|n| self.is_quiet(n, &clients[n]) && self.disk.head(self.keys[n]) == views[n].head)
            {
                return views;
            }
        }
    }

    fn is_quiet(&self, conversation: usize, clients: &[Shared]) -> bool {
        let head = self.disk.head(self.keys[conversation]);
        clients.iter().map(|client| client.borrow()).all(|client| client.is_quiet(head))
    }

    pub(super) fn unsettled(&self, clients: &[Vec<Shared>]) -> Vec<String> {
        let conversation = |n: usize| {
            let log = self.disk.log(self.keys[n]);
            let stands = clients[n].iter().map(|client| {
                let client = client.borrow();
                format!("(done {}, at {})", client.done, client.observer.seq())
            });
            format!(
                "never settled: conversation {n} has {} events, its clients stand {}",
                log.len(),
                stands.collect::<String>()
            )
        };
        (0..self.keys.len()).filter(|n| !self.is_quiet(*n, &clients[*n])).map(conversation).collect()
    }

    pub(super) fn disagreements(&self, views: &[ConversationView]) -> Vec<String> {
        self.keys.iter().zip(views).flat_map(|(key, view)| replay::disagreements(&self.disk.log(*key), view)).collect()
    }
}
