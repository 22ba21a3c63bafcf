//! What the driver counts, given to whoever watches the node.
//! Invariant: a counter never goes down, whatever the driver says.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::core::Core;
use crate::metrics::{
    CQL_CONNECTION_TIMEOUTS, CQL_CONNECTIONS, CQL_ERRORS, CQL_LATENCY_SECONDS, CQL_REQUESTS, CQL_RETRIES, CQL_TIMEOUTS,
};

/// Between two readings; they cost nothing to speak of.
const EVERY: Duration = Duration::from_secs(5);
/// Which latencies are told: the label, and the share of requests that took no longer, in percent.
const QUANTILES: [(&str, f64); 3] = [("0.5", 50.0), ("0.99", 99.0), ("0.999", 99.9)];

/// Tells what the driver has counted, for as long as it runs.
pub(super) async fn tell(core: Arc<Core>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let counted = core.link.session.get_metrics();
        let requests = counted.get_requests_unpaged_num() + counted.get_requests_manually_paged_num();
        let errors = counted.get_errors_unpaged_num() + counted.get_errors_manually_paged_num();
        for (name, count) in [
            (CQL_REQUESTS, requests),
            (CQL_ERRORS, errors),
            (CQL_RETRIES, counted.get_retries_num()),
            (CQL_TIMEOUTS, counted.get_request_timeouts()),
            (CQL_CONNECTION_TIMEOUTS, counted.get_connection_timeouts()),
        ] {
            metrics::counter!(name).absolute(count);
        }
        #[allow(clippy::cast_precision_loss, reason = "nobody has so many connections")]
        metrics::gauge!(CQL_CONNECTIONS).set(counted.get_total_connections() as f64);
        for (label, percent) in QUANTILES {
            // There is none before the first request.
            if let Ok(millis) = counted.get_latency_percentile_ms(percent) {
                let seconds = Duration::from_millis(millis).as_secs_f64();
                metrics::gauge!(CQL_LATENCY_SECONDS, "quantile" => label).set(seconds);
            }
        }
    }
}
