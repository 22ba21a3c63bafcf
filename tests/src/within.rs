//! A node in this process, for what cannot be reached from outside: a handler that panics.

#![allow(clippy::expect_used, clippy::panic, reason = "a tool of tests")]

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use actors::Options;
use engine_config::Sources;
use gateway::node::Node;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::PATIENCE;
use crate::api::Api;
use crate::node::{Settings, data_in, read_key};

/// A node on threads of its own. Dropped, it drains and ends.
pub struct Within {
    /// Where it listens.
    pub address: SocketAddr,
    api_key: String,
    root: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Within {
    /// Starts one with options that only tests have.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(settings: Settings<'_>, options: Options) -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        let data = data_in(root.path());
        let base = [
            ("TERTULIA_LISTEN", "127.0.0.1:0"),
            ("TERTULIA_DATA", data.to_str().expect("a path in UTF-8")),
            ("TERTULIA_KNOWLEDGE__DEMO_DOCUMENTS", "false"),
        ];
        let variables = base.iter().chain(settings).map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let sources = Sources::read(None, variables.collect::<Vec<_>>()).expect("settings that are known");
        let config = sources.config().expect("settings that make sense");
        let (stop, stopped) = oneshot::channel();
        let (to_test, started) = mpsc::channel();
        let thread = thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let node = Node::build(config, options).await.expect("a node");
                let _ = to_test.send(node.address);
                let stopped = async {
                    // A test that is gone wants it to stop too.
                    let _ = stopped.await;
                };
                node.serve(stopped).await.expect("a node that serves");
            });
        });
        let address = started.recv_timeout(PATIENCE).expect("the node starts");
        let api_key = read_key(&data.join("demo.key"));
        Self { address, api_key, root, stop: Some(stop), thread: Some(thread) }
    }

    /// A client with the demo tenant's key.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(self.address, Some(self.api_key.clone()))
    }

    /// A client with the operator's key.
    #[must_use]
    pub fn operator(&self) -> Api {
        Api::new(self.address, Some(read_key(&data_in(self.root.path()).join("admin.key"))))
    }

    /// The demo tenant's key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.api_key
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic, if it had one, has been shown already.
            let _ = thread.join();
        }
    }
}
