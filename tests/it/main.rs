//! The black-box tests: one binary, one module a subject.

#[cfg(test)]
mod house;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod real_model;
