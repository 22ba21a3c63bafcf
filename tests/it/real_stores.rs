//! The real Cassandra and Redis of the tests: they start, can be killed, held and started again, and go when we do.
//! Tests that need them stand in modules of this name, so that `tests/run fast` can leave them out.

mod beside;
mod cassandra;
mod cluster;
mod cql;
mod faults;
mod followed;
mod leash;
mod many;
mod node;
mod redis;
mod tls;
