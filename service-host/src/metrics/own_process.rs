//! What the server itself costs, read from `/proc/self` at each scrape.

use std::fmt;

use procfs::process::{LimitValue, Process};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The standard `process_…` metrics
/// (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>).
#[derive(Debug)]
pub(super) struct OwnProcess;

struct Measured {
    cpu_seconds: f64,
    start_time_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    threads: i64,
    open_fds: u64,
    max_fds: u64,
}

impl Measured {
    fn now() -> procfs::ProcResult<Self> {
        let own = Process::myself()?;
        let stat = own.stat()?;
        let ticks = procfs::ticks_per_second() as f64;
        let max_fds = match own.limits()?.max_open_files.soft_limit {
            LimitValue::Value(most) => most,
            LimitValue::Unlimited => u64::MAX,
        };
        Ok(Self {
            cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
            start_time_seconds: procfs::boot_time_secs()? as f64 + stat.starttime as f64 / ticks,
            resident_bytes: stat.rss * procfs::page_size(),
            virtual_bytes: stat.vsize,
            threads: stat.num_threads,
            open_fds: own.fd_count()? as u64,
            max_fds,
        })
    }
}

impl Collector for OwnProcess {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let measured = match Measured::now() {
            Ok(measured) => measured,
            Err(error) => {
                // Without /proc the other metrics are still worth having.
                tracing::debug!(%error, "cannot measure the own process");
                return Ok(());
            }
        };
        let cpu = ConstCounter::new(measured.cpu_seconds);
        let help = "Processor time used by this server, user and system, in seconds";
        cpu.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, cpu.metric_type())?)?;
        let gauges = [
            ("process_start_time_seconds", "Start of this server, seconds since 1970", measured.start_time_seconds),
            ("process_resident_memory_bytes", "Memory of this server in RAM", measured.resident_bytes as f64),
            ("process_virtual_memory_bytes", "Address space of this server", measured.virtual_bytes as f64),
            ("process_threads", "Threads of this server", measured.threads as f64),
            ("process_open_fds", "Open file descriptors of this server", measured.open_fds as f64),
            ("process_max_fds", "File descriptors that this server may open", measured.max_fds as f64),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}
