//! Results: rows of one table for people, and the same with all details as JSON.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::stats::Spread;

/// Faults of one scenario that the table tells; the JSON has all.
const FAULTS_TOLD_MAX: usize = 5;

/// One scenario's results.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Which scenario.
    pub scenario: String,
    /// The lines of the table.
    pub rows: Vec<Row>,
    /// What was wrong. A run with faults has measured something else than it says.
    pub faults: Vec<String>,
    /// Everything else that was measured.
    pub details: Value,
}

/// One measured thing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What.
    pub what: String,
    /// What it should be at most, or at least.
    pub target: Option<Target>,
    /// What it is, over the windows.
    pub measured: Spread,
    /// The unit of all figures in this row.
    pub unit: String,
    /// What the machine allows without the node, measured in the same run.
    pub floor: Option<f64>,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Row {
    /// A row without target and floor.
    #[must_use]
    pub fn new(what: impl Into<String>, unit: &str, measured: Spread) -> Self {
        Self { what: what.into(), measured, unit: unit.into(), ..Self::default() }
    }

    /// With a target.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// With a floor.
    #[must_use]
    pub fn floor(mut self, floor: f64) -> Self {
        self.floor = Some(floor);
        self
    }

    /// Whether the median meets the target; `None` without one.
    #[must_use]
    pub fn met(&self) -> Option<bool> {
        Some(match self.target? {
            Target::AtMost(most) => self.measured.median <= most,
            Target::AtLeast(least) => self.measured.median >= least,
        })
    }

    fn line(&self) -> String {
        let Spread { min, median, max } = self.measured;
        let measured = if min == max {
            figure(median)
        } else {
            format!("{} ({} – {})", figure(median), figure(min), figure(max))
        };
        let target = self.target.map_or("–".into(), |target| match target {
            Target::AtMost(most) => format!("≤ {}", figure(most)),
            Target::AtLeast(least) => format!("≥ {}", figure(least)),
        });
        let floor = self.floor.map_or("–".into(), figure);
        let ratio = self.floor.filter(|floor| *floor > 0.0).map_or("–".into(), |floor| figure(median / floor));
        let met = match self.met() {
            None => "–",
            Some(true) => "yes",
            Some(false) => "**no**",
        };
        format!("| {} | {} | {target} | {measured} | {met} | {floor} | {ratio} |", self.what, self.unit)
    }
}

impl Report {
    /// Writes it as JSON.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, file: &Path) -> Result<()> {
        std::fs::write(file, serde_json::to_vec_pretty(self)?).with_context(|| format!("writing {}", file.display()))
    }

    /// Reads what [`Report::save`] wrote.
    ///
    /// # Errors
    /// The file is not there or is something else.
    pub fn load(file: &Path) -> Result<Self> {
        let text = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no report", file.display()))
    }
}

/// One Markdown table of several reports, with their faults below it.
#[must_use]
pub fn table(reports: &[Report]) -> String {
    let mut out = String::from(
        "| what | unit | target | measured: median (min – max) | met | floor | measured ÷ floor |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for row in reports.iter().flat_map(|report| &report.rows) {
        let _ = writeln!(out, "{}", row.line());
    }
    for report in reports {
        for fault in report.faults.iter().take(FAULTS_TOLD_MAX) {
            let _ = write!(out, "\n**Fault** in `{}`: {fault}\n", report.scenario);
        }
        if let Some(more @ 1..) = report.faults.len().checked_sub(FAULTS_TOLD_MAX) {
            let _ = write!(out, "\n… and {more} more in `{}`.\n", report.scenario);
        }
    }
    out
}

/// Three significant digits, thousands apart, no exponent.
fn figure(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 {
        let whole = format!("{size:.0}");
        let mut out = String::new();
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at) % 3 == 0 {
                out.push(',');
            }
            out.push(digit);
        }
        return if value < 0.0 { format!("-{out}") } else { out };
    }
    let digits = if size >= 10.0 || size == 0.0 || size.fract() == 0.0 { 1 } else { 2 };
    let text = format!("{value:.digits$}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        for (value, text) in [
            (0.0, "0"),
            (0.123, "0.12"),
            (8.0, "8"),
            (9.876, "9.88"),
            (16.04, "16"),
            (16.26, "16.3"),
            (999.6, "1,000"),
            (1_234_567.0, "1,234,567"),
            (-250.0, "-250"),
            (-1.5, "-1.50"),
        ] {
            assert_eq!(figure(value), text, "{value}");
        }
    }

    #[test]
    fn a_target_is_met_or_not_by_the_median() {
        let row = Row::new("x", "µs", Spread { min: 1.0, median: 2.0, max: 9.0 });
        assert_eq!(row.met(), None);
        for (target, met) in [
            (Target::AtMost(2.0), true),
            (Target::AtMost(1.9), false),
            (Target::AtLeast(2.0), true),
            (Target::AtLeast(2.1), false),
        ] {
            assert_eq!(row.clone().target(target).met(), Some(met), "{target:?}");
        }
    }

    #[test]
    fn the_table_shows_rows_and_faults() {
        let row = Row::new("added latency, p99", "µs", Spread { min: 90.0, median: 100.0, max: 120.0 });
        let row = row.target(Target::AtMost(500.0)).floor(50.0);
        let report = Report {
            scenario: "latency".into(),
            rows: vec![row],
            faults: vec!["3 tokens lost".into(); 7],
            ..Report::default()
        };
        let text = table(&[report]);
        assert!(text.contains("| added latency, p99 | µs | ≤ 500 | 100 (90 – 120) | yes | 50 | 2 |"), "{text}");
        assert!(text.contains("**Fault** in `latency`: 3 tokens lost"), "{text}");
        assert!(text.contains("and 2 more"), "{text}");
    }
}
