//! Logs and metrics of the process. Invariant: nothing people said gets into either.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::{LazyLock, OnceLock};

use engine_config::{Log, LogFormat};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tracing_subscriber::EnvFilter;

use crate::metrics::BUILD;

/// From 20 µs, a token's way through the node, to a minute, a slow model's reply.
const SECONDS_BUCKETS: &[f64] = &[
    0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
    10.0, 30.0, 60.0,
];

/// Finest near the whole, where it matters.
const RATIO_BUCKETS: &[f64] = &[0.1, 0.25, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0];

/// Sends log lines to standard error. A second call in one process changes nothing.
pub fn init_logs(log: &Log) {
    // Which spans there are is the filter's choice too: from `debug` on those of a message's way, at `trace` each push
    // besides. A line shows the fields of all spans around it, the outermost first.
    // Libraries below us stay quiet unless something is wrong.
    let level = format!("{:?}", log.level).to_lowercase();
    // actix-http calls each malformed request an error of ours; the connection that it ends is told of
    // where it came in, by what it was.
    // A name stands for all that begins with it: `engine` for every crate of that folder.
    let filter = EnvFilter::new(format!("warn,actix_http::h1=off,gateway={level},actors={level},engine={level}"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        // A line that cannot be written would be told of on standard error, by a macro that panics when that is what
        // cannot be written: a full disk under the log must not end the node.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    let set = match log.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(true).try_init(),
    };
    if set.is_ok() {
        std::panic::set_hook(Box::new(on_panic));
    }
}

/// Says where, never what: a panic's message may quote the text it fell over.
fn on_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(|| "somewhere".to_owned(), ToString::to_string);
    let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
    tracing::error!(place, thread, "panic");
}

/// The process's recorder, installed at the first call.
///
/// # Errors
/// When the buckets are refused, which a test would have seen.
pub fn metrics() -> Result<PrometheusHandle, BuildError> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_ratio".into()), RATIO_BUCKETS)?
        .build_recorder();
    let handle = HANDLE.get_or_init(|| recorder.handle()).clone();
    // Refused when another has come first; then its handle is the one that was kept.
    if metrics::set_global_recorder(recorder).is_ok() {
        actors::describe_metrics();
        engine_model::metrics::describe();
        engine_knowledge::metrics::describe();
        engine_store::metrics::describe();
        engine_cluster::metrics::describe();
        crate::metrics::describe();
        PROCESS.describe();
        metrics::gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    }
    Ok(handle)
}

/// What the system knows of this process: memory, CPU time, files, when it was started.
static PROCESS: LazyLock<Collector> = LazyLock::new(Collector::default);

/// All metrics as text, and those of the process as they are now.
pub(crate) fn rendered(handle: &PrometheusHandle) -> String {
    PROCESS.collect();
    handle.run_upkeep();
    handle.render()
}
