//! The gateway's metrics: names once, described once.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(crate) const BUILD: &str = "tertulia_build_info";
pub(crate) const LOGOUTS: &str = "tertulia_logouts_total";
pub(crate) const RATE_LIMITED: &str = "tertulia_rate_limited_total";
pub(crate) const CONNECTIONS_REFUSED: &str = "tertulia_connections_refused_total";
pub(crate) const CONNECTIONS_ENDED: &str = "tertulia_connections_ended_total";
pub(crate) const SESSIONS: &str = "tertulia_sessions";
pub(crate) const SESSIONS_OPENED: &str = "tertulia_sessions_opened_total";
pub(crate) const SESSIONS_CLOSED: &str = "tertulia_sessions_closed_total";
pub(crate) const SITES_TAKEN_OVER: &str = "tertulia_sites_taken_over_total";
pub(crate) const TENANTS_UNREVIEWED: &str = "tertulia_tenants_unreviewed";
pub(crate) const FRAMES_IN: &str = "tertulia_frames_received_total";
pub(crate) const FRAME_ERRORS: &str = "tertulia_frame_errors_total";
pub(crate) const REQUESTS: &str = "tertulia_http_requests_total";
pub(crate) const REQUEST_SECONDS: &str = "tertulia_http_request_seconds";
pub(crate) const ANSWERS_WAITING_BYTES: &str = "tertulia_answers_waiting_bytes";
pub(crate) const ANSWERS_CUT: &str = "tertulia_answers_cut_total";
pub(crate) const LINK_FRAMES: &str = "tertulia_peer_frames_total";
pub(crate) const LINK_BYTES: &str = "tertulia_peer_bytes_total";
pub(crate) const LINK_ROUND_TRIP: &str = "tertulia_peer_round_trip_seconds";
pub(crate) const LINKS_ENDED: &str = "tertulia_peer_links_ended_total";
pub(crate) const LINKS_REFUSED: &str = "tertulia_peer_links_refused_total";

/// Tells the recorder what each name means.
pub(crate) fn describe() {
    describe_gauge!(BUILD, "1, with the version that runs");
    describe_counter!(LOGOUTS, "contacts and agents whose tokens were ended, by who: visitor or agent");
    describe_counter!(RATE_LIMITED, "requests and frames refused, by the limit they exceeded");
    describe_counter!(CONNECTIONS_REFUSED, "connections turned away unread, because their address has too many");
    describe_counter!(
        CONNECTIONS_ENDED,
        "connections that ended early, by cause: slow, malformed, lost, proxy, failed"
    );
    describe_gauge!(SESSIONS, "open sockets and streams, by kind");
    describe_counter!(SESSIONS_OPENED, "sockets and streams opened, by kind");
    describe_counter!(SESSIONS_CLOSED, "sockets closed, by code");
    describe_counter!(SITES_TAKEN_OVER, "jobs that learn a site and go on here, because their node is gone");
    describe_gauge!(
        TENANTS_UNREVIEWED,
        "changed tenants whose sessions are still to be checked, because the store did not answer"
    );
    describe_counter!(FRAMES_IN, "frames received on sockets, by type");
    describe_counter!(FRAME_ERRORS, "frames answered with an error, by code");
    describe_counter!(REQUESTS, "HTTP requests answered, by status class");
    describe_gauge!(ANSWERS_WAITING_BYTES, Unit::Bytes, "bytes of answers that their clients have not received yet");
    describe_counter!(ANSWERS_CUT, "answers dropped because their clients did not receive them in time");
    describe_counter!(LINK_FRAMES, "frames between this node and others, by way: in, out");
    describe_counter!(LINK_BYTES, Unit::Bytes, "bytes of frames between this node and others, by way: in, out");
    describe_histogram!(LINK_ROUND_TRIP, Unit::Seconds, "time from a ping to another node to its pong");
    describe_counter!(LINKS_ENDED, "links to other nodes that ended, by cause: silent, ended, frame, lost");
    describe_counter!(
        LINKS_REFUSED,
        "links that did not come about, by cause: unreachable, slow, stranger, refused, malformed, crowded"
    );
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "time from a request's head to its answer's head");
}
