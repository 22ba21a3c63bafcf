//! Every operation that is served and described, by what it is about.

mod admin;
mod contacts;
mod conversations;
mod knowledge;
mod node;
mod tenant;

use crate::docs::Operation;

/// All of them; those of one path follow each other.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    [node::ALL, conversations::ALL, contacts::ALL, tenant::ALL, knowledge::ALL, admin::ALL].into_iter().flatten()
}
