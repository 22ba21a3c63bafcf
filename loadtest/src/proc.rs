//! What the kernel says about a process and its sockets, read from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The node under test, seen from outside.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

/// Memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// All that is resident.
    pub rss_kib: u64,
    /// Of it, what no file stands behind: the heap and the stacks.
    pub anonymous_kib: u64,
}

/// The kernel's own memory for TCP, both ends of every loopback socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sockets {
    /// Sockets in use.
    pub in_use: u64,
    /// Sockets that wait out their closing.
    pub closing: u64,
    /// Memory of their queues, in KiB.
    pub queued_kib: u64,
}

/// Bytes that wait in the kernel on the server's side of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Connections.
    pub connections: u64,
    /// Bytes written and not yet acknowledged by the peer.
    pub unsent_bytes: u64,
}

/// CPU time of a process at one moment.
#[derive(Clone, Debug, Default)]
pub struct Cpu {
    threads: HashMap<PathBuf, (String, u64)>,
}

impl Cpu {
    /// CPU time used since `earlier` by threads whose name `counts`, in nanoseconds.
    #[must_use]
    pub fn since(&self, earlier: &Self, counts: impl Fn(&str) -> bool) -> u64 {
        let before = |thread| earlier.threads.get(thread).map_or(0, |(_, ran)| *ran);
        let counted = self.threads.iter().filter(|(_, (name, _))| counts(name));
        counted.map(|(thread, (_, ran))| ran.saturating_sub(before(thread))).sum()
    }
}

impl Process {
    /// The process with this id.
    ///
    /// # Errors
    /// There is none.
    pub fn find(pid: u32) -> Result<Self> {
        let process = Self(pid);
        process.memory().with_context(|| format!("no process {pid} to observe"))?;
        Ok(process)
    }

    /// This one.
    #[must_use]
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// The CPU time of each of its threads so far. A thread that ends before the next look takes
    /// its last moments with it; servers keep theirs.
    ///
    /// # Errors
    /// The process is gone.
    pub fn cpu(&self) -> Result<Cpu> {
        let mut threads = HashMap::new();
        let tasks = format!("/proc/{}/task", self.0);
        for task in fs::read_dir(&tasks).with_context(|| format!("reading {tasks}"))? {
            let path = task?.path();
            let read = |file: &str| fs::read_to_string(path.join(file)).ok();
            // A thread may end between the listing and the reading.
            let (Some(name), Some(stat)) = (read("comm"), read("stat")) else { continue };
            // The scheduler counts nanoseconds; a kernel without its statistics counts clock ticks.
            let exact = read("schedstat").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
            let tick = crate::clock::SECOND / rustix::param::clock_ticks_per_second().max(1);
            let ran = match exact {
                Some(ran @ 1..) => ran,
                _ => ticks(&stat).context("unexpected format of /proc/PID/task/TID/stat")? * tick,
            };
            threads.insert(path, (name.trim().to_owned(), ran));
        }
        Ok(Cpu { threads })
    }

    /// Its memory now.
    ///
    /// # Errors
    /// The process is gone.
    pub fn memory(&self) -> Result<Memory> {
        memory(&self.read("status")?).context("unexpected format of /proc/PID/status")
    }

    fn read(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    }
}

/// The machine's TCP memory now.
///
/// # Errors
/// `/proc` is not as on Linux.
pub fn sockets() -> Result<Sockets> {
    let page_kib = (rustix::param::page_size() / 1024) as u64;
    sockstat(&fs::read_to_string("/proc/net/sockstat")?, page_kib).context("unexpected format of sockstat")
}

/// What waits in the kernel for the peers of connections to local `port`.
///
/// # Errors
/// `/proc` is not as on Linux.
pub fn queues(port: u16) -> Result<Queues> {
    let mut found = queues_in(&fs::read_to_string("/proc/net/tcp")?, port);
    if let Ok(table) = fs::read_to_string("/proc/net/tcp6") {
        let more = queues_in(&table, port);
        found.connections += more.connections;
        found.unsent_bytes += more.unsent_bytes;
    }
    Ok(found)
}

/// Raises the number of files this process may open to the most it may ask for, and tells it.
#[must_use]
pub fn raise_file_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn ticks(stat: &str) -> Option<u64> {
    // The second field is the program's name in parentheses and may hold spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn memory(status: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some(Memory { rss_kib: field("VmRSS:")?, anonymous_kib: field("RssAnon:")? })
}

fn sockstat(text: &str, page_kib: u64) -> Option<Sockets> {
    let fields: Vec<&str> = text.lines().find_map(|line| line.strip_prefix("TCP: "))?.split(' ').collect();
    let field = |name: &str| fields.chunks(2).find(|pair| pair[0] == name)?.get(1)?.parse::<u64>().ok();
    Some(Sockets { in_use: field("inuse")?, closing: field("tw")?, queued_kib: field("mem")? * page_kib })
}

fn queues_in(table: &str, port: u16) -> Queues {
    const ESTABLISHED: &str = "01";
    let suffix = format!(":{port:04X}");
    let mut found = Queues::default();
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_ascii_whitespace().take(5).collect();
        let [_, local, _, state, queues] = fields[..] else { continue };
        if state == ESTABLISHED && local.ends_with(&suffix) {
            let unsent = queues.split(':').next().and_then(|hex| u64::from_str_radix(hex, 16).ok());
            found.connections += 1;
            found.unsent_bytes += unsent.unwrap_or_default();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_spaces_and_parentheses_does_not_confuse() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 100 1000 2000";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("42"), None);
    }

    #[test]
    fn tables_of_the_kernel_are_read() {
        let status = "Name:\tx\nVmRSS:\t   10548 kB\nRssAnon:\t    9000 kB\n";
        assert_eq!(memory(status), Some(Memory { rss_kib: 10_548, anonymous_kib: 9_000 }));
        assert_eq!(memory("Name:\tx\n"), None);

        let text = "sockets: used 16\nTCP: inuse 7 orphan 0 tw 3 alloc 8 mem 229\nUDP: inuse 0 mem 0\n";
        assert_eq!(sockstat(text, 4), Some(Sockets { in_use: 7, closing: 3, queued_kib: 916 }));

        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n\
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:0 0 0 0\n\
             1: 0100007F:1F90 0100007F:C350 01 00000100:00000000 00:0 0 0 0\n\
             2: 0100007F:C350 0100007F:1F90 01 00000900:00000000 00:0 0 0 0\n\
             3: 0100007F:1F90 0200007F:C351 01 00000010:00000000 00:0 0 0 0\n";
        assert_eq!(queues_in(table, 8080), Queues { connections: 2, unsent_bytes: 0x110 });
    }

    #[test]
    fn this_process_is_there_and_works() {
        let own = Process::own();
        assert!(own.memory().unwrap().rss_kib > 100);
        let before = own.cpu().unwrap();
        let mut spun = 0_u64;
        while own.cpu().unwrap().since(&before, |_| true) == 0 {
            spun += 1;
        }
        assert!(spun < 1_000_000 && own.cpu().unwrap().since(&before, |_| false) == 0);
        sockets().unwrap();
        queues(1).unwrap();
        assert!(raise_file_limit() > 0);
        assert!(Process::find(u32::MAX).is_err());
    }
}
