//! Attempts to break the promises: simulated worlds, kills, full disks, hostile peers, overload.

mod answers;
mod clients;
mod corpus;
mod crash_loop;
mod cuts;
mod disk;
mod drain;
mod overload;
mod peers;
mod simulation;
