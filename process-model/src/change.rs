//! What differs between two specs: field by field, with paths, and with
//! everything secret masked. What comes out may be shown to everybody.
//!
//! | file | what |
//! |---|---|
//! | `differing` | the fields of two specs that differ |
//! | `field` | one changed field |
//! | `flat` | a spec as paths and values |
//! | `mask` | what is secret, and what is shown instead |
//! | `masked` | a whole spec without its secrets |
//! | `taking` | what an instance does to come from one to the other |

mod differing;
mod field;
mod flat;
mod mask;
mod masked;
mod taking;

pub use field::{FieldChange, changes};
pub use mask::MASK;
pub use masked::masked;
pub use taking::{Taking, is_noticed, restarts, taking};

#[cfg(test)]
mod tests;
