//! Certificates of nodes: who is invited, who is certified, and how often somebody may try.
//!
//! | file | what |
//! |---|---|
//! | `token` | a join token, made and recognised |
//! | `turnstile` | tries at a time, of one source and of all |
//! | `certifier` | what the leader signs |
//! | `way` | from a follower to the leader |

mod certifier;
mod token;
mod turnstile;
mod way;

pub(crate) use certifier::{certify, must_certify, not_invited};
pub(crate) use token::{MAX_TOKEN, hash, new_token};
pub(crate) use turnstile::Turnstile;
pub(crate) use way::{Way, way};
