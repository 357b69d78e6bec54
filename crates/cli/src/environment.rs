//! What this machine says: home, the tools' own variables, directory, time and randomness. The only module that asks.

use std::{path::PathBuf, sync::LazyLock, time::SystemTime};

use getrandom::SysRng;
use jiff::tz::TimeZone;
use rand_core::UnwrapErr;
use segue_domain::{Clock, Timestamp};
use segue_formats::Env;

use crate::error::{CliError, Exit, Result};

/// Where the tools keep their sessions: `HOME` and the tools' own variables.
pub fn tools() -> Result<Env> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let home = home.ok_or_else(|| CliError::usage("HOME is not set").hint("Set HOME to your home directory."))?;
    let claude_config_dir = std::env::var_os("CLAUDE_CONFIG_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    Ok(Env { home: home.into(), claude_config_dir })
}

/// The current directory, links resolved.
pub fn current_dir() -> Result<PathBuf> {
    std::env::current_dir().and_then(std::fs::canonicalize).map_err(|error| {
        CliError::new(Exit::Error, "directory", format!("the current directory cannot be found: {error}"))
    })
}

/// This machine's time zone.
pub fn time_zone() -> TimeZone {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(|| {
        // The file says all. Finding its zone's name would read all zones' names.
        let local = || TimeZone::tzif("local", &std::fs::read("/etc/localtime").ok()?).ok();
        if std::env::var_os("TZ").is_some() { None } else { local() }.unwrap_or_else(TimeZone::system)
    });
    ZONE.clone()
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the edge that everything else is handed a clock by")]
        let now = SystemTime::now();
        let millis = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

/// `N` bytes of the machine's randomness.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        CliError::new(Exit::Error, "randomness", format!("the system gives no random bytes: {error}"))
    })?;
    Ok(bytes)
}

/// The machine's randomness for everything that is drawn in `crypto`.
///
/// # Errors
/// When the system gives no random bytes; the generator itself then never fails half-way.
pub fn rng() -> Result<UnwrapErr<SysRng>> {
    random::<1>()?;
    Ok(UnwrapErr(SysRng))
}

/// A name for this device that its owner recognises in a list.
pub fn device_name() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = host.trim();
    let plain = !host.is_empty() && host.len() <= 64 && host.chars().all(|symbol| symbol.is_ascii_graphic());
    if plain { host.to_owned() } else { "this computer".to_owned() }
}

/// A UUID (RFC 9562, version 4) of random bytes.
pub fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
