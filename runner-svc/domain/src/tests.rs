//! The machine in a world that checks what must hold in every life.

mod adoption;
mod edits;
mod health;
mod hooks;
mod leases;
mod lives;
mod notices;
mod properties;
mod restarts;
mod runs;
mod schedules;
mod stops;
mod world;
