//! What is counted while the server runs, as text for Prometheus. Labels are words of ours and route templates: no ids, no names,
//! no addresses, and so a bounded number of series.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use segue_domain::Timestamp;

use crate::store::{Pool, stock::Stock};

/// Upper bounds of what a time is counted under, in milliseconds: from one row to the longest request.
const BUCKETS_MS: [u32; 11] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 30_000];
/// Methods that routes have; any other counts as `other`, as a client may make one up.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// What was counted since the process began.
#[derive(Debug, Default)]
pub struct Metrics {
    begun: Timestamp,
    /// Connections that are open.
    pub(crate) connections: Arc<AtomicUsize>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: BTreeMap<(String, &'static str, u16), u64>,
    times: BTreeMap<String, Times>,
    transitions: BTreeMap<(&'static str, &'static str), u64>,
    mails: BTreeMap<&'static str, u64>,
    sweeps: Times,
}

/// Times of one thing.
#[derive(Debug, Default)]
struct Times {
    buckets: [u64; BUCKETS_MS.len()],
    count: u64,
    sum: Duration,
}

impl Times {
    fn add(&mut self, took: Duration) {
        let bounds = BUCKETS_MS.iter().map(|bound| Duration::from_millis(u64::from(*bound)));
        for (count, _) in self.buckets.iter_mut().zip(bounds).filter(|(_, bound)| took <= *bound) {
            *count += 1;
        }
        self.count += 1;
        self.sum += took;
    }

    fn write(&self, text: &mut String, name: &str, label: &str) -> fmt::Result {
        let comma = if label.is_empty() { "" } else { "," };
        for (count, bound) in self.buckets.iter().zip(BUCKETS_MS) {
            writeln!(text, "{name}_bucket{{{label}{comma}le=\"{}\"}} {count}", f64::from(bound) / 1_000.0)?;
        }
        writeln!(text, "{name}_bucket{{{label}{comma}le=\"+Inf\"}} {}", self.count)?;
        let braces = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
        writeln!(text, "{name}_sum{braces} {}\n{name}_count{braces} {}", self.sum.as_secs_f64(), self.count)
    }
}

impl Metrics {
    /// Nothing counted yet, by a process that began at `begun`.
    pub fn new(begun: Timestamp) -> Self {
        Self { begun, ..Self::default() }
    }

    /// A request was answered. `route` is a template.
    pub(crate) fn answered(&self, route: &str, method: &str, status: u16, took: Duration) {
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        let mut counts = self.counts();
        *counts.requests.entry((route.to_owned(), method, status / 100)).or_default() += 1;
        counts.times.entry(route.to_owned()).or_default().add(took);
    }

    /// Somebody tried to change a handoff, or time did.
    pub(crate) fn transition(&self, kind: &'static str, outcome: &'static str) {
        *self.counts().transitions.entry((kind, outcome)).or_default() += 1;
    }

    /// A mail was sent, or could not be.
    pub(crate) fn mail(&self, outcome: &'static str) {
        *self.counts().mails.entry(outcome).or_default() += 1;
    }

    /// A sweep ended.
    pub(crate) fn swept(&self, took: Duration) {
        self.counts().sweeps.add(took);
    }

    /// Everything, in Prometheus' text format.
    pub(crate) fn text(&self, stock: &Stock, pool: Pool) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        self.write(&mut text, stock, pool).unwrap_or_default();
        text
    }

    fn write(&self, text: &mut String, stock: &Stock, pool: Pool) -> fmt::Result {
        let counts = self.counts();
        head(text, "process_start_time_seconds", "gauge", "When the process began, in Unix time.")?;
        writeln!(text, "process_start_time_seconds {}", self.begun.as_millis() / 1_000)?;
        head(text, "segue_build_info", "gauge", "The version that runs.")?;
        writeln!(text, "segue_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))?;
        head(text, "segue_http_requests_total", "counter", "Answers, by route, method and class of the status.")?;
        for ((route, method, class), count) in &counts.requests {
            let labels = format!("route=\"{route}\",method=\"{method}\",class=\"{class}xx\"");
            writeln!(text, "segue_http_requests_total{{{labels}}} {count}")?;
        }
        head(text, "segue_http_request_seconds", "histogram", "Time until the head of the answer, by route.")?;
        for (route, times) in &counts.times {
            times.write(text, "segue_http_request_seconds", &format!("route=\"{route}\""))?;
        }
        head(text, "segue_connections_open", "gauge", "Connections of clients.")?;
        writeln!(text, "segue_connections_open {}", self.connections.load(Ordering::Relaxed))?;
        head(text, "segue_transitions_total", "counter", "Changes of handoffs: done, refused, late or repeated.")?;
        for ((kind, outcome), count) in &counts.transitions {
            writeln!(text, "segue_transitions_total{{kind=\"{kind}\",outcome=\"{outcome}\"}} {count}")?;
        }
        head(text, "segue_mails_total", "counter", "Attempts to send a mail by this process: sent or failed.")?;
        for (outcome, count) in &counts.mails {
            writeln!(text, "segue_mails_total{{outcome=\"{outcome}\"}} {count}")?;
        }
        head(text, "segue_sweep_seconds", "histogram", "Time that a sweep took.")?;
        counts.sweeps.write(text, "segue_sweep_seconds", "")?;
        drop(counts);
        head(text, "segue_mails", "gauge", "Mails in the database: waiting, or dead (given up).")?;
        writeln!(text, "segue_mails{{state=\"waiting\"}} {}", stock.mails_waiting)?;
        writeln!(text, "segue_mails{{state=\"dead\"}} {}", stock.mails_dead)?;
        head(text, "segue_packs", "gauge", "Packs that are stored.")?;
        writeln!(text, "segue_packs {}", stock.packs)?;
        head(text, "segue_packs_bytes", "gauge", "Their bytes.")?;
        writeln!(text, "segue_packs_bytes {}", stock.pack_bytes)?;
        head(text, "segue_database_connections", "gauge", "Connections to the database: used or idle.")?;
        writeln!(text, "segue_database_connections{{state=\"used\"}} {}", pool.used)?;
        writeln!(text, "segue_database_connections{{state=\"idle\"}} {}", pool.idle)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts an open connection until it is dropped.
pub(crate) struct Open(Arc<AtomicUsize>);

impl Open {
    pub(crate) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_under_each_bound_that_it_does_not_exceed() {
        let metrics = Metrics::new(Timestamp::from_millis(5_000));
        for took in [5, 6, 60_000] {
            metrics.answered("/livez", "GET", 200, Duration::from_millis(took));
        }
        metrics.answered("-", "MADEUP", 404, Duration::ZERO);
        let text = metrics.text(&Stock::default(), Pool { used: 1, idle: 2 });
        for line in [
            "process_start_time_seconds 5\n",
            "segue_http_request_seconds_bucket{route=\"/livez\",le=\"0.005\"} 1\n",
            "segue_http_request_seconds_bucket{route=\"/livez\",le=\"0.01\"} 2\n",
            "segue_http_request_seconds_bucket{route=\"/livez\",le=\"+Inf\"} 3\n",
            "segue_http_request_seconds_sum{route=\"/livez\"} 60.011\n",
            "segue_http_requests_total{route=\"-\",method=\"other\",class=\"4xx\"} 1\n",
            "segue_sweep_seconds_count 0\n",
            "segue_database_connections{state=\"idle\"} 2\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
