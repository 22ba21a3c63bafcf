//! The HTTP side: routes, who may use them, what they answer.

mod admin;
mod agents;
mod answers;
mod body;
mod caller;
mod contacts;
mod conversations;
mod cors;
mod count;
mod delivery;
mod describe;
mod edge;
mod health;
mod knowledge;
mod learning;
mod measure;
mod operations;
mod own;
mod places;
mod plans;
mod routes;
mod socket;
mod spelling;
mod stream;
mod tenant;
mod unanswered;
mod visitors;
mod widget;

pub use count::Counting;
pub use edge::{Edge, EdgeParts};
pub use operations::operations;
pub use places::ReadPlaces;
pub use routes::configure;

pub(crate) use cors::cors;
pub(crate) use count::{count, head};
pub(crate) use delivery::deliver;
pub(crate) use health::{Readiness, only_metrics};
pub(crate) use measure::measure;
