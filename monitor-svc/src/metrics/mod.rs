//! What a scrape gets: metrics of instances and nodes from the domain's
//! exposition, and what the monitor counts of its own work.

mod collector;
mod counters;
pub(crate) mod text;

pub(crate) use collector::MonitorCollector;
pub(crate) use counters::Counters;
