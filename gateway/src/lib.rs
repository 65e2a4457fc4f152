//! The public door: gRPC and REST on one port, in front of registry and
//! monitor. It authenticates, authorises, translates and streams; it holds no
//! state and decides nothing about processes.
//!
//! ```text
//!            net ─▶ door ─▶ gatekeeper: token ─▶ role, before anything else
//!                    │
//!      application/grpc? ── yes ─▶ grpc: raw proxy of public services; health, reflection
//!                    └───── no ──▶ rest: route ─▶ message ─▶ call ─▶ JSON, events, problem
//!                                        both ─▶ backend: registry, monitor
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`Options`], [`Gateway`] | what it is built from; build and serve |
//! | [`access`] | the table: who may call what, and who answers |
//! | `catalogue` | that table joined with the contract's descriptors |
//! | `gatekeeper`, `visitor` | token → role; role and address |
//! | `denials` | what a role did not allow, for the audit log |
//! | `door` | the order in which a request is looked at |
//! | `grpc` | forwarding, message limit, health, reflection |
//! | [`rest`] | routes and the transcoder |
//! | `problem` | errors as `application/problem+json` |
//! | `backend` | the services behind, and the identity shown to them |
//! | `net` | connections, bounded in number and time |
//! | `meters`, `spans` | what is counted and traced |

pub mod access;
mod backend;
mod backends;
mod catalogue;
mod denials;
mod door;
mod gatekeeper;
mod gateway;
mod grpc;
mod meters;
mod net;
mod options;
mod problem;
pub mod rest;
mod spans;
mod visitor;

pub use backend::BackendError;
pub use catalogue::CatalogueError;
pub use gateway::{Gateway, NewError};
pub use grpc::local::LocalError;
pub use options::Options;
