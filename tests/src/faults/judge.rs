//! Holds what clients were told and shown against the logs, and measures how long they waited.

use std::time::Duration;

use actors::{Clock as _, SystemClock};
use anyhow::Result;
use schema::Event;
use tokio::time::Instant;

use super::epochs::Tables;
use super::installation::Installation;
use super::kinds::{Kind, Struck};
use super::load::Load;
use super::report::{FaultReport, FaultsReport};
use crate::patient::Ending;

/// A send that is answered with advice and taken within this has not failed.
const BUDGET: Duration = Duration::from_secs(15);
/// So far may the moment of an event be from when it was, whatever a node's clock says; a clock that is off is by more.
const OFF_MAX: Duration = Duration::from_secs(300);

/// Adds what is wrong to the report, and counts.
pub(super) async fn judge(
    kind: Kind,
    struck: &Struck,
    all: &Installation,
    load: &Load,
    logs: &[Vec<Vec<Event>>],
    tables: &Tables,
    report: &mut FaultsReport,
) -> Result<()> {
    let mut findings = Vec::new();
    let now = SystemClock.now();
    let (age_max, last) = (struck.began.elapsed() + OFF_MAX, now.plus(OFF_MAX));
    for (talk, logs) in load.talks.iter().zip(logs) {
        let id = talk.id;
        let Some(log) = logs.first() else { continue };
        for (node, other) in logs.iter().enumerate().filter(|(_, other)| *other != log) {
            let at = log.iter().zip(other).position(|(one, other)| one != other);
            findings.push(format!(
                "{id}: nodes 0 and {node} have other logs: {} events and {}, {at:?}",
                log.len(),
                other.len()
            ));
        }
        if let Some(event) = log.iter().find(|event| event.at.plus(age_max) < now || event.at > last) {
            findings.push(format!("{id}: event {} is said to be of {}, and it is {now}", event.seq, event.at));
        }
        let mut history = talk.history();
        history.observers.iter_mut().for_each(|observer| observer.stayed_until(log.len() as u64));
        findings.extend(history.check(log).into_iter().map(|violation| format!("{id}: {violation}")));
        let epochs = tables.epochs(id).await?;
        if epochs.by_zombies > 0 {
            findings.push(format!("{id}: {} events were written by owners who were none any more", epochs.by_zombies));
        }
        if epochs.events != log.len() {
            findings.push(format!("{id}: the store holds {} events, and nodes show {}", epochs.events, log.len()));
        }
        report.written_by_zombies += epochs.by_zombies;
        report.takeovers += epochs.owners.saturating_sub(1);
        report.events += log.len();
        if kind.is_planned() {
            let slow = talk.taken().into_iter().filter(|taken| taken.took > BUDGET);
            findings.extend(slow.map(|taken| format!("{id}: a send failed: it took {:?}", taken.took)));
        }
    }
    let told = load.told();
    findings.extend(told.for_good.into_iter().map(|refusal| format!("refused for good: {refusal}")));
    let addresses = all.addresses();
    let entry = report.faults.entry(kind.name()).or_default();
    for lost in told.lost {
        match lost.how {
            Ending::Left => entry.left += 1,
            Ending::Closed(_) | Ending::Cut => {
                let node = addresses.iter().position(|address| *address == lost.to);
                entry.closed += 1;
                if node.is_none_or(|node| !kind.may_close(struck, node)) {
                    let when = lost.at.saturating_duration_since(struck.began);
                    findings.push(format!("a socket to node {node:?} ended ({:?}) after {when:?}", lost.how));
                }
            }
        }
    }
    entry.acknowledged += told.acknowledged;
    for (code, times) in told.refusals {
        *entry.put_off.entry(code).or_default() += times;
    }
    report.acknowledged += told.acknowledged;
    report.findings.append(&mut findings);
    Ok(())
}

/// How long each conversation took nothing, at most, and each message.
pub(super) fn measure(entry: &mut FaultReport, load: &Load, owned: &[bool], began: Instant, ended: Instant) {
    for (talk, owned) in load.talks.iter().zip(owned) {
        let taken = talk.taken();
        let within = taken.iter().filter(|taken| taken.at >= began && taken.at <= ended);
        let (mut before, mut longest) = (began, Duration::ZERO);
        for taken in within {
            longest = longest.max(taken.at - before);
            before = taken.at;
            entry.sends.push(millis(taken.took));
        }
        let pauses = if *owned { &mut entry.pauses } else { &mut entry.others };
        pauses.push(millis(longest));
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
