//! An acknowledged append is still there after its process was killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use engine_store::{Claim, Log, SharedStore};
use futures_util::future::try_join_all;
use schema::{ContactId, Seq};
use tests::store::{Outcome, append, opening, texts};

use super::{agreed_key, sqlite};

const ROUNDS: usize = 3;
const WRITERS: u8 = 8;
/// Acknowledgements to see before the kill: enough for several commits in every round.
const ACKS: usize = 200;
const PATH: &str = "TERTULIA_TEST_CRASH_PATH";

#[tokio::test]
async fn an_acknowledged_append_survives_kill_9() -> Outcome {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store");
    let mut acknowledged = BTreeMap::<(u8, Seq), String>::new();
    for round in 0..ROUNDS {
        acknowledged.extend(run_and_kill(&path)?);
        let store: SharedStore = sqlite(&path)?;
        for writer in 0..WRITERS {
            let found = texts(&store, agreed_key(writer)).await?;
            for ((_, seq), text) in acknowledged.iter().filter(|((who, _), _)| *who == writer) {
                let kept = found.get(usize::try_from(*seq)? - 1);
                assert_eq!(kept, Some(text), "round {round}, writer {writer}, event {seq} of {}", found.len());
            }
        }
    }
    assert!(acknowledged.len() >= ROUNDS * ACKS);
    Ok(())
}

fn run_and_kill(path: &Path) -> anyhow::Result<Vec<((u8, Seq), String)>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--exact", "store::crash::child_appends_until_it_is_killed", "--ignored", "--nocapture"])
        .env(PATH, path)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or_else(|| anyhow::anyhow!("the child has no output"))?;
    let mut acks = Vec::new();
    // After the kill the pipe still holds acknowledgements: they count as well.
    for line in BufReader::new(output).lines() {
        let line = line?;
        let Some(ack) = line.strip_prefix("ack ") else { continue };
        let mut parts = ack.splitn(3, ' ');
        let mut next = || parts.next().ok_or_else(|| anyhow::anyhow!("not an ack: {ack}"));
        acks.push(((next()?.parse()?, next()?.parse()?), next()?.to_string()));
        if acks.len() == ACKS {
            child.kill()?;
        }
    }
    child.wait()?;
    Ok(acks)
}

/// Not a test: the process that [`run_and_kill`] kills.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_appends_until_it_is_killed() -> Outcome {
    let Some(path) = std::env::var_os(PATH) else { return Ok(()) };
    let store = sqlite(Path::new(&path))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        try_join_all((0..WRITERS).map(|writer| {
            let store = &store;
            async move {
                let key = agreed_key(writer);
                let mut claim = store.claim(key, opening(ContactId::generate(), 0)).await?;
                loop {
                    let words: Vec<String> =
                        (0..=claim.head % 3).map(|n| format!("{}.{}.{n}", claim.epoch, claim.head)).collect();
                    store.append(append(key, claim, &words.iter().map(String::as_str).collect::<Vec<_>>())).await?;
                    let mut output = std::io::stdout().lock();
                    for text in words {
                        claim = Claim { head: claim.head + 1, ..claim };
                        // The first one shares its line with what the test harness says.
                        write!(output, "\nack {writer} {} {text}\n", claim.head)?;
                    }
                    output.flush()?;
                }
                #[allow(unreachable_code, reason = "tells the block its type")]
                anyhow::Ok(())
            }
        }))
        .await
    })?;
    Ok(())
}
