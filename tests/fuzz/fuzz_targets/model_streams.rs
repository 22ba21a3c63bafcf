//! See `tests::fuzz::model_streams`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tests::fuzz::model_streams(bytes));
