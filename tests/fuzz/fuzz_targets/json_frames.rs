//! See `tests::fuzz::json_frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::fuzz::json_frames(bytes));
