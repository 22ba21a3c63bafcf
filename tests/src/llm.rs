//! A real, small language model as upstream: one server a test process, with its own counters.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, bail};

/// Names the Python interpreter that has the packages of `tests/llm/requirements.txt`.
const PYTHON: &str = "TERTULIA_TEST_PYTHON";

/// The model's own counters must answer while it computes; a server that does not is stuck.
const METRICS_TIMEOUT: Duration = Duration::from_secs(20);

/// A running model server (`tests/llm/serve.py`), ended when this is dropped or the test process is.
#[derive(Debug)]
pub struct RealModel {
    /// `http://127.0.0.1:PORT`, without a path: `/v1/chat/completions` and `/v1/messages` lie under it.
    pub base_url: String,
    server: Child,
}

impl RealModel {
    /// The model's name, as requests give it.
    pub const NAME: &str = "smollm2";

    /// The one of this test process, started at the first call. It computes on one thread and takes
    /// four requests at a time, so tests that measure it take turns.
    ///
    /// # Errors
    /// As [`Self::start`], again at every call.
    pub fn shared() -> anyhow::Result<&'static Self> {
        static SHARED: OnceLock<Result<RealModel, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start().map_err(|error| format!("{error:#}")));
        shared.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Starts a server of its own and waits until it has loaded the model (about a second). Blocks.
    ///
    /// # Errors
    /// When the interpreter is not named, or the server ends instead of getting ready; what it said
    /// is on the test's standard error.
    pub fn start() -> anyhow::Result<Self> {
        let Some(python) = env::var_os(PYTHON) else {
            bail!("{PYTHON} is not set: run ./tests/run, which installs the model and names the interpreter");
        };
        // Whoever talks to the model does so with reqwest, which is built without a default TLS
        // provider. That another test has installed it already is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("llm/serve.py");
        let mut server = Command::new(&python)
            .arg("-B")
            .arg(script)
            .stdin(Stdio::piped()) // Ends the server when this process does, however it does.
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{PYTHON} names {}, which does not start", python.display()))?;
        let mut line = String::new();
        if let Some(output) = server.stdout.as_mut() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let Some(base_url) = base_url(&line) else {
            // Its exit code is of no interest: it did not start.
            let _ = server.kill();
            let _ = server.wait();
            bail!("the model server did not start: run ./tests/run, which installs what it needs");
        };
        Ok(Self { base_url, server })
    }

    /// How many requests the model is computing replies to, by its own count.
    ///
    /// # Errors
    /// When the server does not answer, or not with that count.
    pub async fn busy(&self) -> anyhow::Result<u32> {
        let client = reqwest::Client::builder().no_proxy().timeout(METRICS_TIMEOUT).build()?;
        let url = format!("{}/metrics", self.base_url);
        let page = client.get(url).send().await?.error_for_status()?.text().await?;
        gauge(&page, "llamacpp:requests_processing").context("the model server tells no requests_processing")
    }
}

impl Drop for RealModel {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn base_url(line: &str) -> Option<String> {
    let ready: serde_json::Value = serde_json::from_str(line).ok()?;
    ready.get("base_url")?.as_str().map(str::to_owned)
}

fn gauge(page: &str, name: &str) -> Option<u32> {
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_names_the_address() {
        assert_eq!(base_url("{\"base_url\": \"http://127.0.0.1:7\"}\n").as_deref(), Some("http://127.0.0.1:7"));
        for line in ["", "listening\n", "{}"] {
            assert_eq!(base_url(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_gauge_is_found_by_its_whole_name() {
        let page = "# TYPE x gauge\nrequests_processing_total 9\nrequests_processing 2\n";
        assert_eq!(gauge(page, "requests_processing"), Some(2));
        assert_eq!(gauge(page, "requests"), None);
    }
}
