//! `segue doctor`: checks this installation and the way to the server, and says how to mend what is wrong.

use std::{fs, os::unix::fs::PermissionsExt as _};

use segue_domain::Clock as _;
use serde_json::{Value, json};

use crate::{
    account::Account,
    device::notes,
    environment::{self, SystemClock},
    error::{CliError, Exit, Result},
    home::Home,
    output::Output,
    remote::{Remote, is_loopback},
    resolve::cannot_look,
    untrusted::Untrusted,
};

/// A clock that is wrong by more than this makes handoffs look expired, or not yet made.
const CLOCK_SKEW_MS_MAX: u64 = 60_000;

struct Check {
    name: &'static str,
    good: bool,
    says: String,
}

/// Checks.
pub(super) fn run(output: &Output) -> Result<()> {
    let home = Home::find()?;
    let mut checks = vec![folder(&home), notes(&home), tools()?];
    match Account::find(&home) {
        Ok(None) => checks.push(Check { name: "account", good: false, says: "nobody: segue join LINK".to_owned() }),
        Ok(Some(account)) => checks.extend(server(&account)?),
        Err(error) => checks.push(Check { name: "account", good: false, says: format!("{error} {}", error.hint) }),
    }
    let all_good = checks.iter().all(|check| check.good);
    let lines: Vec<_> = checks
        .iter()
        .map(|check| format!("{} {:8}  {}", if check.good { "ok  " } else { "FAIL" }, check.name, check.says))
        .collect();
    let rows: Vec<Value> =
        checks.iter().map(|check| json!({"check": check.name, "ok": check.good, "says": check.says})).collect();
    output.answer(lines.join("\n"), json!({"ok": all_good, "checks": rows}))?;
    if all_good { Ok(()) } else { Err(CliError::new(Exit::Error, "doctor", "something needs attention, see above")) }
}

/// The folder can be written, and nobody else can look into it.
fn folder(home: &Home) -> Check {
    let shown = home.root().display();
    let (good, says) = match home.temporary() {
        Err(error) => (false, error.to_string()),
        Ok(_) => match fs::metadata(home.root()).map(|metadata| metadata.permissions().mode() & 0o077) {
            Ok(0) => (true, shown.to_string()),
            Ok(_) => (false, format!("{shown}: others on this machine can look into it; chmod 700 it")),
            Err(error) => (false, format!("{shown}: {error}")),
        },
    };
    Check { name: "folder", good, says }
}

/// Which chats are on other devices, and where others came from, can be read.
fn notes(home: &Home) -> Check {
    let damaged = notes::damaged(home);
    let says = if damaged.is_empty() { "of chats that moved: whole".to_owned() } else { damaged.join("\n") };
    Check { name: "notes", good: damaged.is_empty(), says }
}

fn tools() -> Result<Check> {
    let environment = environment::tools()?;
    let mut found = Vec::new();
    for format in segue_formats::ALL {
        let sessions = format.discover(&environment).map_err(|error| cannot_look(&error))?.count();
        found.push(format!("{}: {sessions} sessions", format.tool().as_str()));
    }
    Ok(Check { name: "tools", good: true, says: found.join(", ") })
}

fn server(account: &Account) -> Result<Vec<Check>> {
    let mut checks = vec![transport(account)];
    let remote = Remote::signed_in(account)?;
    match remote.server() {
        Err(error) => checks.push(Check { name: "server", good: false, says: format!("{error} {}", error.hint) }),
        Ok(server) => {
            let speaks = server.protocols.contains(&1);
            let says = format!("{} version {}", account.server, Untrusted(&server.version));
            checks.push(Check { name: "server", good: speaks, says });
            let skew = server.now.saturating_sub(SystemClock.now().as_millis());
            let says = format!("{skew} ms apart from the server's");
            checks.push(Check { name: "clock", good: skew.unsigned_abs() <= CLOCK_SKEW_MS_MAX, says });
            checks.push(signed_in(&remote));
        }
    }
    Ok(checks)
}

/// Plain http is fine on this machine only (SPEC A6).
fn transport(account: &Account) -> Check {
    let local = is_loopback(&account.server);
    let good = account.server.scheme() == "https" || local;
    let says = match (good, local) {
        (true, true) => "local".to_owned(),
        (true, false) => "https".to_owned(),
        _ => "http: anyone on the way can use your access. Give the server a certificate: --tls-cert, --tls-key"
            .to_owned(),
    };
    Check { name: "way", good, says }
}

fn signed_in(remote: &Remote) -> Check {
    match remote.account() {
        Ok(account) => {
            let verified = if account.email_verified { "" } else { " (address not verified)" };
            Check { name: "account", good: true, says: format!("{}{verified}", Untrusted(&account.email)) }
        }
        Err(error) => Check { name: "account", good: false, says: format!("{error} {}", error.hint) },
    }
}
