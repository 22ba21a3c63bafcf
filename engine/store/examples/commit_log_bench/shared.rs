//! A shared log: writers give their events to a partition of the node's, which commits what waits as one group.
//! Invariant: one group of a partition is under way at a time, and forms from what came meanwhile: nobody waits for
//! company. An event is acknowledged when its group is decided, and folded after that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::fold::{Behind, fold_until};
use crate::tables::{Decided, Place, Tables};
use crate::{Failure, Turn, Workload, run};

/// Events and bytes of a group, and events of a segment, at most.
const GROUP_EVENTS_MAX: usize = 128;
const GROUP_BYTES_MAX: usize = 128 * 1024;
const SEGMENT_EVENTS_MAX: usize = 4_096;
/// Events that wait for a partition; each writer has one.
const WAITING_MAX: usize = 1_024;

struct Waiting {
    event: Decided,
    decided: oneshot::Sender<()>,
}

pub(crate) async fn turn(
    tables: &Arc<Tables>,
    (partitions, is_packed): (u32, bool),
    fold: Duration,
    workload: Workload<'_>,
) -> Result<Turn, Failure> {
    let began = Instant::now();
    let (groups, folds) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let (mut ways_in, mut tasks) = (Vec::new(), Vec::new());
    let writer = Uuid::now_v7();
    for part in 0..i32::try_from(partitions)? {
        let (way_in, waiting) = mpsc::channel(WAITING_MAX);
        ways_in.push(way_in);
        let place = Place { writer, part, segment: 0, head: 0, is_packed };
        let behind = Arc::<Behind>::default();
        let (tables, groups, folds) = (Arc::clone(tables), Arc::clone(&groups), Arc::clone(&folds));
        let folding = tokio::spawn(fold_until(Arc::clone(&tables), place, fold, Arc::clone(&behind), folds));
        tasks.push(tokio::spawn(async move {
            let committed = commit(&tables, place, waiting, &behind, &groups).await;
            behind.end();
            committed?;
            folding.await?
        }));
    }
    let ways_in: Arc<[mpsc::Sender<Waiting>]> = ways_in.into();
    let acks = run(workload, move |conversation| {
        let ways_in = Arc::clone(&ways_in);
        async move {
            let part = (conversation.log.as_u128() % ways_in.len() as u128) as usize;
            let (decided, is_decided) = oneshot::channel();
            let event = Decided { log: conversation.log, seq: conversation.head + 1 };
            let way_in = ways_in.get(part).ok_or("there is no such partition")?;
            way_in.send(Waiting { event, decided }).await.map_err(|_| "the partition has ended")?;
            Ok(is_decided.await?)
        }
    })
    .await;
    for task in tasks {
        task.await??;
    }
    let count = |counted: &AtomicU64| counted.load(Ordering::Relaxed);
    Ok(Turn { acks: acks?, lasted: began.elapsed(), groups: count(&groups), folds: count(&folds) })
}

/// Commits what waits until nobody can bring anything any more.
async fn commit(
    tables: &Tables,
    mut place: Place,
    mut waiting: mpsc::Receiver<Waiting>,
    behind: &Behind,
    groups: &AtomicU64,
) -> Result<(), Failure> {
    let most = GROUP_EVENTS_MAX.min(GROUP_BYTES_MAX / tables.event_bytes());
    let (mut group, mut in_segment) = (Vec::with_capacity(most), 0);
    tables.open_segment(place).await?;
    while waiting.recv_many(&mut group, most).await > 0 {
        if in_segment + group.len() > SEGMENT_EVENTS_MAX {
            tables.seal_segment(place).await?;
            behind.sealed(place.segment);
            place = Place { segment: place.segment + 1, head: 0, ..place };
            tables.open_segment(place).await?;
            in_segment = 0;
        }
        let events: Vec<Decided> = group.iter().map(|waiting| waiting.event).collect();
        tables.append_together(place, &events).await?;
        place.head += 1;
        in_segment += events.len();
        groups.fetch_add(1, Ordering::Relaxed);
        behind.decided(&events);
        for Waiting { decided, .. } in group.drain(..) {
            // A writer that has ended needs no answer.
            let _ = decided.send(());
        }
    }
    // So that all of it is removed in its turn.
    tables.seal_segment(place).await?;
    behind.sealed(place.segment);
    Ok(())
}
