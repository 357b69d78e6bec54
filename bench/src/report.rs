//! Tables in Markdown, with the spread of every figure and the machine it was measured on.

use std::fs;
use std::process::Command;

use segue_e2e::server::program;

use crate::measure::run;

/// The least, the middle and the greatest of some figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    /// The least.
    pub(crate) min: f64,
    /// The middle one, or the mean of the two middle ones.
    pub(crate) median: f64,
    /// The greatest.
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one figure; of none it is all zero.
    pub(crate) fn of(figures: &[f64]) -> Self {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else {
            return Self { min: 0.0, median: 0.0, max: 0.0 };
        };
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        };
        Self { min, median, max }
    }

    /// With so many digits after the point.
    pub(crate) fn text(self, digits: usize) -> String {
        format!("{:.digits$} / {:.digits$} / {:.digits$}", self.min, self.median, self.max)
    }
}

/// The mean; 0 of none.
pub(crate) fn mean(figures: &[f64]) -> f64 {
    let count = u32::try_from(figures.len().max(1)).unwrap_or(u32::MAX);
    figures.iter().sum::<f64>() / f64::from(count)
}

/// The figure that so many in a thousand do not exceed; 0 of none.
pub(crate) fn per_mille(figures: &[f64], part: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * part).div_ceil(1000).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

/// `other` divided by `own`, pair by pair.
pub(crate) fn paired(other: &[f64], own: &[f64]) -> Spread {
    let ratios: Vec<f64> = other.iter().zip(own).map(|(other, own)| other / own).collect();
    Spread::of(&ratios)
}

/// A table.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let rule = head.iter().map(|_| "--").collect();
    let rows = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    [line(head.to_vec()), line(rule)].into_iter().chain(rows).collect()
}

/// What was measured on, and how busy it was.
pub(crate) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or("unknown", |(_, value)| value.trim()).to_owned()
    };
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{cores} cores ({processor}), {memory} of memory, Linux {}, loopback; load average {}; {}",
        read("/proc/sys/kernel/osrelease").trim(),
        load(),
        programs()
    )
}

/// The programs that were measured, by the beginning of their SHA-256: a client and a server of different builds show.
fn programs() -> String {
    let shown = ["segue", "segue-server"].map(|name| {
        let hash = program(name).and_then(|path| run(Command::new("sha256sum").arg(path)));
        let hash =
            hash.map_or_else(|_| "missing".to_owned(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
        format!("{name} {}", hash.chars().take(12).collect::<String>())
    });
    shown.join(", ")
}

/// The load averages of 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let all = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    all.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_is_the_mean_of_two() {
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]), Spread { min: 1.0, median: 2.5, max: 4.0 });
        assert_eq!(Spread::of(&[9.0, 1.0, 2.0]), Spread { min: 1.0, median: 2.0, max: 9.0 });
    }

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        assert_eq!(paired(&[2.0, 30.0], &[1.0, 10.0]), Spread { min: 2.0, median: 2.5, max: 3.0 });
    }

    #[test]
    fn the_99th_of_a_hundred() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert!((per_mille(&hundred, 990) - 99.0).abs() < f64::EPSILON);
        assert!((per_mille(&hundred, 500) - 50.0).abs() < f64::EPSILON);
    }
}
