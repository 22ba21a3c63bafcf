//! The person's input: typed lines, and Ctrl-C.

use std::io::{self, BufRead};
use std::pin::Pin;

use tokio::sync::mpsc;

/// Lines from standard input, one at a time; it ends with the input. They are read on a thread of
/// their own, because a read from a terminal cannot be given up.
pub(super) fn lines() -> mpsc::Receiver<String> {
    let (to_chat, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if to_chat.blocking_send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// Presses of Ctrl-C, for as long as the chat runs.
pub(super) enum Interrupts {
    /// The terminal's.
    Terminal(Pin<Box<dyn Future<Output = io::Result<()>> + Send>>),
    /// A test's.
    #[cfg(test)]
    Scripted(mpsc::Receiver<()>),
}

impl Interrupts {
    pub(super) fn of_the_terminal() -> Self {
        Self::Terminal(Box::pin(tokio::signal::ctrl_c()))
    }

    /// The next press. A call that is given up loses none.
    pub(super) async fn next(&mut self) {
        match self {
            Self::Terminal(pressed) => {
                if pressed.as_mut().await.is_err() {
                    // No signals on this system: then none ever comes.
                    std::future::pending::<()>().await;
                }
                *pressed = Box::pin(tokio::signal::ctrl_c());
            }
            #[cfg(test)]
            Self::Scripted(presses) => match presses.recv().await {
                Some(()) => {}
                None => std::future::pending().await,
            },
        }
    }
}
