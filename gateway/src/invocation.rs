//! How whoever started this program starts it again, for words that say what to type.

use std::env;

/// The command line for these arguments: in a checkout by way of cargo, if cargo started this program; otherwise
/// by the program's own name.
#[must_use]
pub(crate) fn command(arguments: &str) -> String {
    // Cargo tells a program that it runs which package it is of.
    let by_cargo = env::var_os("CARGO_PKG_NAME").is_some_and(|name| name == env!("CARGO_PKG_NAME"));
    written(arguments, by_cargo, !cfg!(debug_assertions))
}

fn written(arguments: &str, by_cargo: bool, optimised: bool) -> String {
    let program = match (by_cargo, optimised) {
        (false, _) => "tertulia",
        (true, true) => "cargo run --release",
        (true, false) => "cargo run",
    };
    let between = if by_cargo && !arguments.is_empty() { " --" } else { "" };
    format!("{program}{between} {arguments}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_started_again_as_it_was_started() {
        for (arguments, by_cargo, optimised, expected) in [
            ("chat", false, true, "tertulia chat"),
            ("chat", true, true, "cargo run --release -- chat"),
            ("chat", true, false, "cargo run -- chat"),
            ("", false, false, "tertulia"),
            ("", true, true, "cargo run --release"),
        ] {
            assert_eq!(written(arguments, by_cargo, optimised), expected);
        }
    }
}
