//! Black-box tests: one binary, one module a subject.

mod model_faults;
