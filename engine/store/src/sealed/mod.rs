//! How things of a conversation stand in a database: what is in the clear, what is sealed, and for which place.
//! Invariant: the numbers of forms are stored with what was sealed, and never change their meaning.

pub(crate) mod event;
pub(crate) mod note;
pub(crate) mod row;
pub(crate) mod snapshot;
