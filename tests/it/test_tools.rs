//! What others' tools say: the type checker of the client's types, the fuzzer of the API, and those that read, or run,
//! the files of deploy/.
//! Tests that need an installed tool stand in modules of this name, so that `tests/run fast` can leave them out.

mod balanced;
mod deploy;
mod openapi;
mod types;

/// The path in a variable that `tests/run` sets.
fn named(variable: &str) -> std::path::PathBuf {
    let value = std::env::var_os(variable);
    value.unwrap_or_else(|| panic!("{variable} is not set: run ./tests/run, which installs the tools")).into()
}
