//! Prints a document as Markdown: `cargo run -p engine-documents --example markdown page.html`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "that is what it is for")]

use std::process::ExitCode;

use engine_documents::Kind;

fn main() -> ExitCode {
    let mut whole = true;
    for name in std::env::args().skip(1) {
        let read = std::fs::read(&name).map_err(|error| error.to_string()).and_then(|bytes| {
            let kind = Kind::of(None, &name, &bytes).ok_or("it is of no kind that is read")?;
            engine_documents::read(kind, None, &bytes).map_err(|error| error.to_string())
        });
        match read {
            Ok(page) => {
                println!("{}", page.markdown);
                for part in page.left_out {
                    println!("left out: {} ({} characters): {}", part.what, part.chars, part.why);
                }
                if let Some(to) = page.moved {
                    println!("leads to: {to}");
                }
            }
            Err(error) => {
                eprintln!("{name}: {error}");
                whole = false;
            }
        }
    }
    if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
