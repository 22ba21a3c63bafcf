//! A bare server on its own thread, and the flags that point a scenario at it.

use std::net::SocketAddr;

use loadtest::bare::{Defect, Server};
use loadtest::report::{Report, Row};
use loadtest::scenario::Target;

/// An address nobody listens on at the moment.
pub(crate) fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Starts a bare server whose replies come from `stub`, and points a scenario at it.
pub(crate) fn bare(stub: SocketAddr, defect: Defect) -> Target {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let server = Server::bind("127.0.0.1:0".parse().unwrap(), stub, defect).unwrap();
            tell.send(server.address()).unwrap();
            server.serve().await.unwrap();
        });
    });
    let url = format!("http://{}", told.recv().unwrap());
    Target { url, key: "key".into(), pid: Some(std::process::id()), json: None }
}

/// The row whose name begins so.
pub(crate) fn row<'a>(report: &'a Report, what: &str) -> &'a Row {
    report.rows.iter().find(|row| row.what.starts_with(what)).unwrap_or_else(|| panic!("no `{what}`: {report:?}"))
}
