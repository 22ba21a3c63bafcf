//! What tries to break the promises: simulated worlds, kills, full disks, hostile peers, overload.

mod clients;
mod corpus;
mod crash_loop;
mod cuts;
mod disk;
mod drain;
mod peers;
mod simulation;
