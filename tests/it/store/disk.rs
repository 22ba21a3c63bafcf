//! A disk that refuses to write: clear answers while it lasts, and recovery by itself.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, ensure};
use engine_store::{Claim, Log, PageBounds, SharedStore, StoreError};
use schema::{ContactId, Seq};
use tests::store::{Outcome, append, opening, texts};

use super::{agreed_key, sqlite};

const PATH: &str = "TERTULIA_TEST_DISK_PATH";
/// Large enough that a few of them pass the limit set on the child's files.
const TEXT_BYTES: usize = 100_000;

/// The kernel's own limit on file sizes plays the full disk: a write past it fails, in the middle
/// of a transaction, and succeeds again once the limit is lifted.
#[tokio::test]
async fn a_disk_that_refuses_is_said_and_survived() -> Outcome {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store");
    let mut child = Process::start(&path)?;
    ensure!(child.ask("append")? == "stored 1", "the first one is stored");

    child.limit_files("1000000")?;
    let refusal = (0..50)
        .map(|_| child.ask("append"))
        .find(|answer| !matches!(answer, Ok(answer) if answer.starts_with("stored")));
    let refusal = refusal.context("the limit was never met")??;
    ensure!(refusal == "unavailable" || refusal == "unknown", "{refusal}");
    for _ in 0..3 {
        let answer = child.ask("append")?;
        ensure!(answer == "unavailable" || answer == "unknown", "it stays refused: {answer}");
    }
    ensure!(child.ask("read")?.starts_with("head "), "reading goes on");

    child.limit_files("unlimited")?;
    let recovered = (0..100_000).find_map(|_| match child.ask("append") {
        Ok(answer) if answer.starts_with("stored") => Some(Ok(answer)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    let recovered = recovered.context("it never recovered")??;
    let stored = child.stored.clone();
    child.end()?;

    let store: SharedStore = sqlite(&path)?;
    let found = texts(&store, agreed_key(0)).await?;
    ensure!(recovered == format!("stored {}", found.len()), "{recovered}, and {} are there", found.len());
    for seq in stored {
        let kept = found.get(usize::try_from(seq)? - 1).context("an acknowledged event is gone")?;
        ensure!(kept.len() == TEXT_BYTES && kept.starts_with(&format!("{seq} ")), "event {seq} is not what was stored");
    }
    Ok(())
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    stored: Vec<Seq>,
}

impl Process {
    fn start(path: &Path) -> anyhow::Result<Self> {
        // Without the trap the kernel would end the process instead of failing the write.
        let mut child = Command::new("sh")
            .args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#])
            .arg(std::env::current_exe()?)
            .args(["--exact", "store::disk::child_does_as_told", "--ignored", "--nocapture"])
            .env(PATH, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().context("the child has no input")?;
        let output = BufReader::new(child.stdout.take().context("the child has no output")?).lines();
        Ok(Self { child, input, output, stored: Vec::new() })
    }

    fn ask(&mut self, what: &str) -> anyhow::Result<String> {
        writeln!(self.input, "{what}")?;
        loop {
            let line = self.output.next().context("the child has ended")??;
            let Some(answer) = line.strip_prefix("answer ") else { continue };
            if let Some(seq) = answer.strip_prefix("stored ") {
                self.stored.push(seq.parse()?);
            }
            return Ok(answer.to_string());
        }
    }

    fn limit_files(&self, soft: &str) -> Outcome {
        let status = Command::new("prlimit")
            .args([format!("--pid={}", self.child.id()), format!("--fsize={soft}:unlimited")])
            .status()
            .context("prlimit (of util-linux)")?;
        ensure!(status.success(), "prlimit failed");
        Ok(())
    }

    fn end(self) -> Outcome {
        let Self { mut child, input, output, .. } = self;
        drop(input);
        output.for_each(drop);
        ensure!(child.wait()?.success(), "the child failed");
        Ok(())
    }
}

/// Not a test: the process whose disk refuses.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn child_does_as_told() -> Outcome {
    let Some(path) = std::env::var_os(PATH) else { return Ok(()) };
    let store = sqlite(Path::new(&path))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let key = agreed_key(0);
    let claim = runtime.block_on(store.claim(key, opening(ContactId::generate(), 0)))?;
    for line in std::io::stdin().lines() {
        // The log is the truth: after an unknown outcome it says what the head is.
        let head = runtime.block_on(store.read(key, 0, PageBounds::HEAD))?.head;
        let answer = if line? == "append" {
            let seq = head + 1;
            let text = format!("{seq} {}", "x".repeat(TEXT_BYTES - 1 - seq.to_string().len()));
            match runtime.block_on(store.append(append(key, Claim { head, ..claim }, &[&text]))) {
                Ok(()) => format!("stored {seq}"),
                Err(StoreError::Unavailable(_)) => "unavailable".into(),
                Err(StoreError::Unknown(_)) => "unknown".into(),
                Err(error) => format!("{error:?}"),
            }
        } else {
            format!("head {head}")
        };
        println!("\nanswer {answer}");
    }
    Ok(())
}
