//! The protocol's machine-readable descriptions, made from the very types that are sent.

mod asyncapi;
mod openapi;
mod operation;

pub(crate) use asyncapi::document as asyncapi;
pub(crate) use openapi::document as openapi;
pub use operation::{Auth, Method, Operation};
pub(crate) use operation::{Make, delete, get, patch, post, put, schema_of};
