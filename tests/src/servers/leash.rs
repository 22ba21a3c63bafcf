//! A program on a leash: it ends when this process does, also when that is killed.
//! Invariant: between the two stands a shell that reads a pipe from us; when the pipe ends it kills the program and
//! clears the program's folder away.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::look_until;

/// Says the program's id, then waits for its end. Nothing is ever written to the pipe: to read from it is to wait
/// for our own end. The program does not get the pipe, nor does it keep our standard output.
const SHELL: &str = r#"
folder=$1
shift
exec 3<&0
"$@" </dev/null >>"$folder/log" 2>&1 3<&- &
program=$!
echo "$program"
(
  read -r _ <&3
  # Its folder may have gone before: that is no reason to end here.
  true >"$folder/left"
  kill -KILL "$program"
) >/dev/null 2>&1 &
watcher=$!
exec 3<&- >/dev/null 2>&1
wait "$program"
status=$?
kill "$watcher"
if [ -e "$folder/left" ]; then
  rm -rf "$folder"
  rmdir "$(dirname "$folder")"
fi
exit "$status"
"#;

/// A killed program is gone within this; only a machine that hangs takes longer.
const KILL_TIMEOUT: Duration = Duration::from_secs(20);

/// Of a program's last words, the most that is shown.
const LAST_BYTES: u64 = 8 * 1024;
const LAST_LINES: usize = 40;

/// A program that was started, and ends with this.
#[derive(Debug)]
pub(super) struct Leashed {
    shell: Child,
    /// Held until this goes.
    leash: Option<ChildStdin>,
    pid: Pid,
    folder: PathBuf,
}

impl Leashed {
    /// Starts a program with its arguments; what it says is added to `log` in its folder.
    pub(super) fn start(program: &Command, folder: &Path) -> anyhow::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SHELL, "sh"])
            .arg(folder)
            .arg(program.get_program())
            .args(program.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A Ctrl-C is for us: the program is ended when we have ended.
            .process_group(0)
            .spawn()
            .context("no `sh` can be started")?;
        let leash = shell.stdin.take();
        let mut line = String::new();
        if let Some(output) = shell.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let Some(pid) = line.trim().parse().ok().and_then(Pid::from_raw) else {
            // Without the pipe it ends by itself.
            drop(leash);
            shell.wait()?;
            bail!("the shell did not start {}", program.get_program().display());
        };
        Ok(Self { shell, leash, pid, folder: folder.to_owned() })
    }

    /// How it ended, if it has.
    pub(super) fn over(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.shell.try_wait()?)
    }

    /// Sends it a signal.
    pub(super) fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        if let Some(status) = self.over()? {
            bail!("it has ended already ({status}); its last words:\n{}", last_words(&self.folder));
        }
        kill_process(self.pid, signal).context("it takes no signal")
    }

    /// Waits until it has ended.
    pub(super) fn ended(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let ended = look_until(Instant::now() + within, || self.over())?;
        ended
            .with_context(|| format!("it did not end within {within:?}; its last words:\n{}", last_words(&self.folder)))
    }

    /// Ends it as a power cut would; its folder stays.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.signal(Signal::KILL)?;
        self.ended(KILL_TIMEOUT)?;
        Ok(())
    }

    /// Asks it to end; its folder stays.
    pub(super) fn stop(mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended(within)
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        // Where it has ended before, its folder stays; else all goes, as it would at our own end.
        drop(self.leash.take());
        // Nobody is left to be told.
        let _ = self.ended(KILL_TIMEOUT);
    }
}

/// How much the program in a folder has said so far.
pub(super) fn said_bytes(folder: &Path) -> u64 {
    folder.join("log").metadata().map_or(0, |log| log.len())
}

/// What the program in a folder said after so many bytes.
pub(super) fn said_since(folder: &Path, start: u64) -> String {
    let mut said = Vec::new();
    let read = File::open(folder.join("log")).and_then(|mut log| {
        log.seek(SeekFrom::Start(start))?;
        log.read_to_end(&mut said)
    });
    if read.is_err() {
        // A program that has no log yet has said nothing.
        said.clear();
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// What the program in a folder said last.
pub(super) fn last_words(folder: &Path) -> String {
    let said = said_since(folder, said_bytes(folder).saturating_sub(LAST_BYTES));
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::scratch;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn leashed(folder: &Path, script: &str) -> Leashed {
        std::fs::create_dir_all(folder).unwrap();
        let mut program = Command::new("sh");
        program.args(["-c", script]);
        Leashed::start(&program, folder).unwrap()
    }

    #[test]
    fn what_has_ended_tells_how_and_why() {
        let root = scratch("leash").unwrap();
        let folder = root.path().join("one");
        let mut program = leashed(&folder, "echo no room >&2; exit 3");
        assert_eq!(program.ended(PATIENCE).unwrap().code(), Some(3));
        assert_eq!(last_words(&folder), "no room");
        let error = program.signal(Signal::TERM).unwrap_err().to_string();
        assert!(error.contains("no room"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_has_ended() {
        let root = scratch("leash").unwrap();
        let folder = root.path().join("one");
        std::fs::create_dir_all(&folder).unwrap();
        let mut program = Leashed::start(&Command::new("no-such-program"), &folder).unwrap();
        assert_eq!(program.ended(PATIENCE).unwrap().code(), Some(127));
        assert!(last_words(&folder).contains("no-such-program"));
    }

    #[test]
    fn its_folder_stays_when_it_is_killed_or_stopped_and_goes_when_it_is_let_go() {
        let root = scratch("leash").unwrap();
        let folder = root.path().join("one");
        let waiting = "trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done";
        let up = |lives: usize| {
            let said = || Ok((said_since(&folder, 0).lines().count() == lives).then_some(()));
            look_until(Instant::now() + PATIENCE, said).unwrap().expect("it is up in time");
        };

        let program = leashed(&folder, waiting);
        up(1);
        program.kill().unwrap();
        assert!(folder.exists());

        let program = leashed(&folder, waiting);
        up(2);
        assert_eq!(program.stop(PATIENCE).unwrap().code(), Some(5));
        assert!(folder.exists());

        // Also one that is held.
        let mut program = leashed(&folder, waiting);
        let pid = program.pid;
        program.signal(Signal::STOP).unwrap();
        drop(program);
        assert!(!folder.exists());
        assert!(rustix::process::test_kill_process(pid).is_err(), "{pid:?} still runs");
    }

    #[test]
    fn it_goes_also_when_its_folder_has_gone_before() {
        let root = scratch("leash").unwrap();
        let folder = root.path().join("one");
        let program = leashed(&folder, "echo up; while :; do sleep 0.01; done");
        let said = || Ok((!said_since(&folder, 0).is_empty()).then_some(()));
        look_until(Instant::now() + PATIENCE, said).unwrap().expect("it is up in time");
        let pid = program.pid;
        std::fs::remove_dir_all(&folder).unwrap();
        drop(program);
        assert!(rustix::process::test_kill_process(pid).is_err(), "{pid:?} still runs");
    }

    #[test]
    fn only_the_end_of_what_was_said_is_shown() {
        let root = scratch("leash").unwrap();
        let folder = root.path().join("one");
        let mut program = leashed(&folder, "for i in $(seq 1 5000); do echo line $i; done");
        program.ended(PATIENCE).unwrap();
        let words = last_words(&folder);
        assert!(words.ends_with("line 5000") && words.lines().count() == LAST_LINES, "{words}");
    }
}
