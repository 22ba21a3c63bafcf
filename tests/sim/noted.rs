//! Unanswered questions must be noted: whatever became of the nodes, the list is what the logs say.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use actors::Worker;
use engine_unanswered::asked;
use schema::wire::UnansweredQuestion;
use schema::{ConversationKey, Event, Fact, Seq, TenantId, limits};
use tokio::time::{Instant, sleep};

use super::world::World;

/// Longest wait for the list to have what the logs have.
const NOTED_MAX: Duration = Duration::from_secs(120);

impl World {
    /// What is noted and stands in no log, or stands there and is not noted.
    pub(super) async fn noted(&self) -> Vec<String> {
        if self.net.is_some() {
            // A node keeps what it has read of the list until it writes there: what others have noted since a new one sees.
            self.crash(0);
            self.start_if_down(0);
        }
        let logs: Vec<_> = self.keys.iter().map(|key| (*key, self.disk.log(*key))).collect();
        let differ = self.on_node(0, |worker| async move { Ok(differences(worker, logs).await) }).await;
        differ.unwrap_or_else(|failure| vec![format!("noted: {failure}")])
    }
}

async fn differences(worker: Rc<Worker>, logs: Vec<(ConversationKey, Vec<Event>)>) -> Vec<String> {
    let deadline = Instant::now() + NOTED_MAX;
    loop {
        let mut lists = HashMap::new();
        for tenant in logs.iter().map(|(key, _)| key.tenant) {
            let page = worker.system().unanswered().page(tenant, None, limits::UNANSWERED_MAX).await;
            lists.insert(tenant, page.unwrap_or_default());
        }
        let found = compared(&lists, &logs);
        if found.is_empty() || Instant::now() >= deadline {
            return found;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

fn compared(lists: &HashMap<TenantId, Vec<UnansweredQuestion>>, logs: &[(ConversationKey, Vec<Event>)]) -> Vec<String> {
    let mut differ = Vec::new();
    for (key, log) in logs {
        let Some(list) = lists.get(&key.tenant) else { continue };
        let is_noted = |seq: Seq| {
            list.iter().any(|row| row.conversations.iter().any(|at| at.id == key.conversation && at.seq == seq))
        };
        // One that was asked in many places knows the newest only.
        let is_full = list.iter().any(|row| row.conversations.len() >= limits::UNANSWERED_PLACES_MAX);
        for event in log {
            let Fact::Message { reply: Some(reply), .. } = &event.fact else { continue };
            let has_words = asked(log, event.seq).is_some();
            if reply.made.unanswered && has_words && !is_noted(event.seq) && !is_full {
                differ.push(format!("noted: {} of {} is not on the list", event.seq, key.conversation));
            }
            if !reply.made.unanswered && is_noted(event.seq) {
                differ.push(format!("noted: {} of {} is on the list, and was answered", event.seq, key.conversation));
            }
        }
    }
    differ
}
