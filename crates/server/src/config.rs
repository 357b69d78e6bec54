//! What the operator says on the command line, in the environment or in a file ([`sources`]).

pub mod sources;

use std::{convert::Infallible, fmt, net::SocketAddr, path::PathBuf, str::FromStr};

use clap::{Parser, Subcommand, value_parser};
use ipnet::IpNet;
use segue_domain::{Plan, limits};
use url::Url;

use crate::person::Email;

/// Hands live AI conversations over. Sees ciphertext and cards only.
#[derive(Debug, Clone, Parser)]
#[command(name = "segue-server", version)]
pub struct Config {
    /// Options from a TOML file: their names are those of the command line, which goes before it, as the environment does.
    #[arg(long, env = "SEGUE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
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
    #[arg(long, env = "SEGUE_JSON", global = true)]
    pub json: bool,
    /// PostgreSQL instead of the embedded SQLite: postgres://…  It may hold a password, and other users of this machine
    /// can read command lines: prefer the environment.
    #[arg(long, env = "SEGUE_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database: Option<DatabaseUrl>,
    /// File whose one line is what --database would be, for a secret that the service manager hands over.
    #[arg(long, env = "SEGUE_DATABASE_FILE", value_name = "FILE", conflicts_with = "database")]
    pub database_file: Option<PathBuf>,
    /// Address that people reach the server at, for links; without it the one it listens on.
    #[arg(long, env = "SEGUE_URL", value_name = "URL", value_parser = origin)]
    pub url: Option<String>,
    /// Plan of everybody who has no other: free, pro, team or enterprise.
    #[arg(long, env = "SEGUE_PLAN", value_name = "PLAN", default_value_t)]
    pub plan: Plan,
    /// Requests a minute for one device, before it is told to wait.
    #[arg(long, env = "SEGUE_REQUESTS_PER_MINUTE", value_name = "N", default_value_t = limits::REQUESTS_PER_MINUTE,
          value_parser = value_parser!(u32).range(1..))]
    pub requests_per_minute: u32,
    /// How long the code of a device handoff lives, in seconds: 60 to 900.
    #[arg(long, env = "SEGUE_PAIRING_SECONDS", value_name = "SECONDS", default_value_t = limits::PAIRING_SECONDS_DEFAULT,
          value_parser = value_parser!(u32).range(i64::from(limits::PAIRING_SECONDS_MIN)..=i64::from(limits::PAIRING_SECONDS_MAX)))]
    pub pairing_seconds: u32,
    /// SMTP server that mails are sent by: smtps://user:password@host (TLS), smtp://host (STARTTLS), smtp://host?tls=none.
    /// Without one, mails are written to files in DIR/mail. It may hold a password: prefer the environment.
    #[arg(long, env = "SEGUE_SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub smtp_url: Option<SmtpUrl>,
    /// File whose one line is what --smtp-url would be, for a secret that the service manager hands over.
    #[arg(long, env = "SEGUE_SMTP_URL_FILE", value_name = "FILE", conflicts_with = "smtp_url")]
    pub smtp_url_file: Option<PathBuf>,
    /// Sender of mails: Segue <segue@example.com>; without it segue@ and the host of --url.
    #[arg(long, env = "SEGUE_MAIL_FROM", value_name = "SENDER")]
    pub mail_from: Option<String>,
    /// Who may sign up without being invited: invite (nobody), domains:example.com,example.org, or open (everybody). The address
    /// is verified by mail.
    #[arg(long, env = "SEGUE_SIGN_UP", value_name = "POLICY", default_value = "invite")]
    pub sign_up: SignUp,
    /// Networks whose proxies are believed when they say for whom they ask (X-Forwarded-For): 10.0.0.0/8,::1/128. Name only
    /// proxies that set this header themselves.
    #[arg(long, env = "SEGUE_TRUSTED_PROXIES", value_name = "CIDR,…", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// Address that tells Prometheus how the server is, at /metrics; whoever reaches it may read it, so keep it on loopback.
    #[arg(long, env = "SEGUE_METRICS_LISTEN", value_name = "ADDR")]
    pub metrics_listen: Option<SocketAddr>,
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
    /// Brings the database's tables up to date, as starting the server does.
    Migrate {
        /// Only say what is applied and what would be.
        #[arg(long)]
        plan: bool,
    },
    /// Shows the options that count, and where each comes from; secrets are not shown.
    Config,
    /// Shows who has an account; also beside a running server.
    #[command(subcommand)]
    Users(UsersCommand),
    /// Shows and changes a person's plan; also beside a running server.
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Looks at mails that are not sent yet or were given up; also beside a running server.
    #[command(subcommand)]
    Mail(MailCommand),
}

/// What is done with mails.
#[derive(Debug, Clone, Subcommand)]
pub enum MailCommand {
    /// Lists at most 1000 of them, the given-up ones first.
    List,
    /// Lets one be tried again now.
    Retry {
        /// Its id, from the list.
        id: String,
    },
}

/// An SMTP server's address, which may hold a password: it is never shown.
#[derive(Clone)]
pub struct SmtpUrl(pub String);

impl FromStr for SmtpUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(not shown)")
    }
}

/// Who may sign up without being invited (SPEC A2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SignUp {
    /// Nobody.
    #[default]
    Invite,
    /// Who has an address of one of these domains, in lower case; a domain below one is another.
    Domains(Vec<String>),
    /// Everybody.
    Open,
}

impl SignUp {
    /// Whether somebody with this address may.
    pub(crate) fn allows(&self, email: &Email) -> bool {
        match self {
            Self::Invite => false,
            Self::Domains(domains) => {
                email.key.rsplit_once('@').is_some_and(|(_, domain)| domains.iter().any(|allowed| allowed == domain))
            }
            Self::Open => true,
        }
    }
}

impl FromStr for SignUp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "invite" => Ok(Self::Invite),
            None if text == "open" => Ok(Self::Open),
            Some(("domains", list)) => {
                let domains: Vec<_> = list.split(',').map(|domain| domain.trim().to_ascii_lowercase()).collect();
                match domains.iter().find(|domain| Email::parse(&format!("a@{domain}")).is_err()) {
                    Some(wrong) => Err(format!("{wrong:?} is no domain")),
                    None => Ok(Self::Domains(domains)),
                }
            }
            _ => Err("invite, open, or domains:example.com,example.org".to_owned()),
        }
    }
}

/// What is asked about people.
#[derive(Debug, Clone, Subcommand)]
pub enum UsersCommand {
    /// Lists everybody, who joined first first.
    List,
    /// Shows one person.
    Show {
        /// Their address or id.
        #[arg(value_name = "EMAIL|ID")]
        who: String,
    },
}

/// What is done with a person's plan.
#[derive(Debug, Clone, Subcommand)]
pub enum PlanCommand {
    /// Shows it.
    Get {
        /// Their address or id.
        #[arg(value_name = "EMAIL|ID")]
        who: String,
    },
    /// Changes it, from their next request on.
    Set {
        /// Their address or id.
        #[arg(value_name = "EMAIL|ID")]
        who: String,
        /// free, pro, team or enterprise; or default, for the server's.
        plan: PlanChoice,
    },
}

/// A plan of one's own, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanChoice(pub Option<Plan>);

impl FromStr for PlanChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(plan) => Ok(Self(Some(plan))),
            Err(_) if text == "default" => Ok(Self(None)),
            Err(_) => Err("free, pro, team, enterprise or default".to_owned()),
        }
    }
}

/// What stands before the path of a link, without a slash at its end.
fn origin(text: &str) -> Result<String, String> {
    let wrong = || "an address such as https://segue.example.com, without path, name or query".to_owned();
    let url = Url::parse(text).map_err(|_| wrong())?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    if matches!(url.scheme(), "http" | "https") && bare && nobody {
        return Ok(url.as_str().trim_end_matches('/').to_owned());
    }
    Err(wrong())
}

/// A network, or a single address.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let address = text.parse::<std::net::IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| "a network such as 10.0.0.0/8, or one address".to_owned())
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
        let config = Config::parse_from(["segue-server", "--data", "d", "--smtp-url", "smtps://u:hunter2@host"]);
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!((config.plan, config.sign_up), (Plan::Team, SignUp::Invite));
    }

    #[test]
    fn a_domain_is_itself_and_nothing_that_ends_or_begins_like_it() {
        let policy: SignUp = "domains:Example.com, b.org".parse().unwrap();
        let allows = |address: &str| policy.allows(&Email::parse(address).unwrap());
        assert!(allows("ann@example.com") && allows("ANN@EXAMPLE.COM") && allows("ann@b.org"));
        for other in ["ann@notexample.com", "ann@example.com.evil.net", "ann@sub.example.com", "example.com@evil.net"] {
            assert!(!allows(other), "{other}");
        }
        for wrong in ["", "closed", "domains:", "domains:a b", "domains:a.com,,b.com", "open:a"] {
            assert!(wrong.parse::<SignUp>().is_err(), "{wrong}");
        }
    }
}
