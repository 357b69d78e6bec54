//! Time, processor time and memory, and running other programs so that no failure passes for a fast success.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// Ticks of processor time in a second, as Linux tells them: `getconf CLK_TCK` has been 100 on all machines for decades.
const TICKS: f64 = 100.0;
/// How long a server may take to listen.
const START: Duration = Duration::from_secs(30);

/// Does it; answers what it made and how long it took.
pub(crate) fn timed<Made>(work: impl FnOnce() -> Result<Made>) -> Result<(Made, Duration)> {
    let begin = now();
    let made = work()?;
    Ok((made, begin.elapsed()))
}

/// This moment.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits a moment between two looks at something that does not tell when it changes.
#[expect(clippy::disallowed_methods, reason = "another program's memory and port can only be looked at")]
pub(crate) fn pause(length: Duration) {
    thread::sleep(length);
}

/// As long as a person takes at least between reading a code and typing its last symbol elsewhere.
pub(crate) fn typing() {
    pause(Duration::from_secs(1));
}

/// Runs a program to its end, which must be a success; its output.
pub(crate) fn run(command: &mut Command) -> Result<Output> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    checked(&format!("{command:?}"), output)
}

/// What a program wrote, if it ended well.
pub(crate) fn checked(what: &str, output: Output) -> Result<Output> {
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    ensure!(output.status.success(), "{what} ended with {}\n{said}", output.status);
    Ok(output)
}

/// Processor time in s: of all ended children of this process, and of these servers and their ended children.
pub(crate) fn processor(servers: &[u32]) -> Result<f64> {
    let mut ticks = 0;
    for (process, from) in servers.iter().map(|id| (id.to_string(), 11)).chain([("self".to_owned(), 13)]) {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The name, which may hold anything, ends at the last bracket; utime, stime, cutime and cstime are 11 to 14 after.
        let fields = stat.rsplit_once(')').context("a process has a name")?.1;
        let times = fields.split_ascii_whitespace().skip(from).take(15 - from);
        for time in times {
            ticks += time.parse::<u32>()?;
        }
    }
    Ok(f64::from(ticks) / TICKS)
}

/// The most memory a process has held so far, in kB; `None` when it is gone.
pub(crate) fn peak_kb(process: u32) -> Option<u64> {
    status_kb(process, "VmHWM:")
}

/// The memory a process holds now, in kB; `None` when it is gone.
pub(crate) fn resident_kb(process: u32) -> Option<u64> {
    status_kb(process, "VmRSS:")
}

fn status_kb(process: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Forgets a process's peak, so that the next one told is that of what follows.
pub(crate) fn forget_peak(process: u32) -> Result<()> {
    fs::write(format!("/proc/{process}/clear_refs"), "5").context("cannot reset the peak of a process")
}

/// A port that is free now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Another program's server; killed when dropped.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts it and waits until it listens on `port`.
    pub(crate) fn start(command: &mut Command, port: u16) -> Result<Self> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut this = Self(quiet.spawn().with_context(|| format!("cannot start {command:?}"))?);
        let begin = now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            ensure!(this.0.try_wait()?.is_none(), "{command:?} ended at once");
            ensure!(begin.elapsed() < START, "{command:?} does not listen on port {port}");
            pause(Duration::from_millis(20));
        }
        Ok(this)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Already gone is as good.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_an_error_that_tells_what_it_said() {
        let failed = run(Command::new("sh").args(["-c", "echo refused >&2; exit 3"])).unwrap_err().to_string();
        assert!(failed.contains("exit status: 3") && failed.contains("refused"), "{failed}");
        assert!(run(Command::new("sh").args(["-c", "kill $$"])).is_err());
    }

    #[test]
    fn the_processor_time_of_ended_children_is_counted() {
        let before = processor(&[]).unwrap();
        run(Command::new("sh").args(["-c", "while [ $((n += 1)) -lt 60000 ]; do :; done"])).unwrap();
        assert!(processor(&[]).unwrap() > before);
    }
}
