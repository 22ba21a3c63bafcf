//! Shows the progress of learning: a bar on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::plain::{Plain, plain};

/// Standard output, standard error, and the bar between them.
pub(super) struct Screen<'a> {
    out: &'a mut dyn Write,
    notes: &'a mut dyn Write,
    bar: ProgressBar,
    is_terminal: bool,
}

impl<'a> Screen<'a> {
    /// With a bar if both are a terminal.
    pub(super) fn new(out: &'a mut dyn Write, notes: &'a mut dyn Write) -> Self {
        let is_terminal = io::stdout().is_terminal() && io::stderr().is_terminal();
        Self { out, notes, bar: ProgressBar::hidden(), is_terminal }
    }

    /// One that shows no bar, whatever the program's own output is.
    #[cfg(test)]
    pub(super) fn plain(out: &'a mut dyn Write, notes: &'a mut dyn Write) -> Self {
        Self { out, notes, bar: ProgressBar::hidden(), is_terminal: false }
    }

    pub(super) const fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Begins a bar of so many things.
    pub(super) fn begin(&mut self, total: usize) {
        if !self.is_terminal {
            return;
        }
        // The locks that are held are this thread's own, and the bar is drawn on it.
        self.bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {wide_msg}") {
            self.bar.set_style(style.progress_chars("=> "));
        }
    }

    /// So many of so many are done, and this is at hand.
    pub(super) fn at(&self, done: usize, total: usize, what: &str) {
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message(plain(what).into_owned());
    }

    pub(super) fn end(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
    }

    /// A line of the answer.
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        let Self { out, bar, .. } = self;
        bar.suspend(|| writeln!(Plain(&mut **out), "{line}"))
    }

    /// A line beside the answer.
    pub(super) fn note(&mut self, line: &str) -> io::Result<()> {
        let Self { notes, bar, .. } = self;
        bar.suspend(|| writeln!(Plain(&mut **notes), "{line}"))
    }
}
