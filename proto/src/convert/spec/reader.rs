//! Reads the values of a message and collects what is wrong with them. A faulty
//! field gets a stand-in, so that the rest is read too.

use crate::convert::duration_from_wire;
use process_model::spec::{Fault, Signal};
use std::time::Duration;

/// What is wrong so far.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) faults: Vec<Fault>,
}

impl Reader {
    pub(super) fn fault(&mut self, field: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) {
        self.faults.push(Fault::new(field, problem, fix));
    }

    /// A duration that has a default.
    pub(super) fn duration(
        &mut self,
        field: impl Into<String>,
        value: Option<&prost_types::Duration>,
        absent: Duration,
    ) -> Duration {
        self.some_duration(field, value).unwrap_or(absent)
    }

    /// A duration that may be absent.
    pub(super) fn some_duration(
        &mut self,
        field: impl Into<String>,
        value: Option<&prost_types::Duration>,
    ) -> Option<Duration> {
        match duration_from_wire("duration", value?) {
            Ok(duration) => Some(duration),
            Err(e) => {
                self.fault(field, e.problem, "write a duration that is not negative");
                None
            }
        }
    }

    pub(super) fn port(&mut self, field: impl Into<String>, value: u32) -> u16 {
        match u16::try_from(value) {
            Ok(port) if port > 0 => port,
            Ok(_) | Err(_) => {
                self.fault(field, format!("{value} is out of range"), "write 1 to 65535");
                1
            }
        }
    }

    /// A whole number that the model holds in a smaller type.
    pub(super) fn narrow<W, N>(&mut self, field: impl Into<String>, value: W, range: &str, stand_in: N) -> N
    where
        W: Copy + std::fmt::Display,
        N: TryFrom<W>,
    {
        N::try_from(value).unwrap_or_else(|_| {
            self.fault(field, format!("{value} is out of range"), format!("write {range}"));
            stand_in
        })
    }

    pub(super) fn signal(&mut self, field: impl Into<String>, text: &str, absent: Signal) -> Signal {
        if text.is_empty() {
            return absent;
        }
        text.parse().unwrap_or_else(|e: String| {
            self.fault(field, e, "write another");
            absent
        })
    }

    /// An enumeration of which this version knows the value; `T` is its type on
    /// the wire.
    pub(super) fn known<T: TryFrom<i32> + Default>(&mut self, field: impl Into<String>, number: i32) -> T {
        T::try_from(number).unwrap_or_else(|_| {
            self.fault(field, format!("{number} is no value that is known here"), "write a known one");
            T::default()
        })
    }

    /// A name of ours.
    pub(super) fn name<T: std::str::FromStr<Err = process_model::InvalidName>>(
        &mut self,
        field: impl Into<String>,
        text: &str,
    ) -> Option<T> {
        text.parse()
            .map_err(|e: process_model::InvalidName| {
                self.fault(
                    field,
                    format!("{:?}: {}", e.value, e.fault),
                    "write 1 to 63 of A-Z a-z 0-9 . _ -, beginning with a letter or digit",
                );
            })
            .ok()
    }
}

/// A text in which empty means absent.
pub(super) fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
