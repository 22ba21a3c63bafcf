//! What tries to break the promises: simulated worlds, kills, full disks, hostile peers, overload.

mod crash_loop;
mod cuts;
mod drain;
mod peers;
mod simulation;
