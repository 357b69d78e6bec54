//! What the operator says on the command line or in the environment.

use std::{convert::Infallible, fmt, net::SocketAddr, path::PathBuf, str::FromStr};

use clap::{Parser, Subcommand};
use segue_domain::{Plan, limits};

/// Hands live AI conversations over. Sees ciphertext and cards only.
#[derive(Debug, Clone, Parser)]
#[command(name = "segue-server", version)]
pub struct Config {
    /// Folder for the database and the sealed packs; made when it is missing.
    #[arg(long, env = "SEGUE_DATA", value_name = "DIR")]
    pub data: PathBuf,
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "SEGUE_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:7373")]
    pub listen: SocketAddr,
    /// Certificate chain (PEM), to serve HTTPS.
    #[arg(long, env = "SEGUE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Key of the certificate (PEM).
    #[arg(long, env = "SEGUE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// The ready line and the log as JSON.
    #[arg(long, env = "SEGUE_JSON")]
    pub json: bool,
    /// PostgreSQL instead of the embedded SQLite: postgres://…  It may hold a password, and other users of this machine
    /// can read command lines: prefer the environment.
    #[arg(long, env = "SEGUE_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database: Option<DatabaseUrl>,
    /// Address that people reach the server at, for links; without it the one it listens on.
    #[arg(long, env = "SEGUE_URL", value_name = "URL")]
    pub url: Option<String>,
    /// Plan of everybody who has no other: free, pro, team or enterprise.
    #[arg(long, env = "SEGUE_PLAN", value_name = "PLAN", default_value_t)]
    pub plan: Plan,
    /// Requests a minute for one device, before it is told to wait.
    #[arg(long, env = "SEGUE_REQUESTS_PER_MINUTE", value_name = "N", default_value_t = limits::REQUESTS_PER_MINUTE)]
    pub requests_per_minute: u32,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What is done with a server's data.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Checks that database, packs and events agree; also beside a running server. Exit code 1 when something does not.
    Check {
        /// Read every pack and compare its hash.
        #[arg(long)]
        read_data: bool,
        /// Delete stored bytes that no row names.
        #[arg(long)]
        repair: bool,
    },
    /// Copies everything into a folder that must not exist yet; also beside a running server.
    Backup {
        /// Where to.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Restores a backup into an empty data folder, and an empty PostgreSQL database when one is named.
    Restore {
        /// Where from.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// A database's address, which may hold a password: it is never shown.
#[derive(Clone)]
pub struct DatabaseUrl(pub String);

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_url_is_never_shown() {
        let words = ["segue-server", "--data", "d", "--database", "postgres://u:hunter2@host/db"];
        let config = Config::parse_from(words);
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!(config.plan, Plan::Team);
    }
}
