//! The `tertulia` program.

use std::process::ExitCode;

/// glibc keeps what a burst of connections has left; jemalloc gives most of it back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    gateway::cli::main()
}
