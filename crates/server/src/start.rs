//! Starting: data folder, database, owner link, listener; and stopping when told to.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::Write as _,
    net::{IpAddr, SocketAddr},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use segue_domain::limits;
use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

use segue_domain::Clock as _;

use crate::{
    Listeners,
    app::{App, Settings, SystemClock, system_random},
    config::Config,
    connections::Bounds,
    joining,
    listen::Transport,
    logs,
    mail::{self, Post},
    metrics::Metrics,
    news::News,
    packs::{Packs, private_folder},
    proxies::Proxies,
    rates::Rates,
    serve,
    store::{Db, identity, migrations},
};

/// Files that are open beside connections.
const FILES_BESIDE: u64 = 256;

/// Runs a server until it is told to stop.
pub async fn run(config: Config) -> anyhow::Result<()> {
    tracing::subscriber::set_global_default(logs::subscriber(config.json, std::io::stderr))?;
    raise_file_limit();
    let _lock = lock(&config.data, Users::of(&config))?;
    let tcp = TcpListener::bind(config.listen).await;
    let tcp = tcp.with_context(|| format!("cannot listen on {}", config.listen))?;
    let url = config.url.clone().unwrap_or_else(|| local_url(&config, tcp.local_addr().unwrap_or(config.listen)));
    let app = Arc::new(open(&config, &url).await?);
    let shutdown = stop_signal()?;
    let owner_link = joining::owner_token(&app).await?.map(|token| owner_link(&url, &token));
    let transport = match (&config.tls_cert, &config.tls_key) {
        (Some(certificate), Some(key)) => Transport::tls(certificate, key)?,
        _ => Transport::Plain,
    };
    let metrics = match config.metrics_listen {
        Some(address) => {
            Some(TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} for metrics"))?)
        }
        None => None,
    };
    if let Some(address) = metrics.as_ref().and_then(|listener| listener.local_addr().ok()) {
        tracing::info!(%address, "metrics are served");
    }
    say_ready(config.json, &url, owner_link.as_deref())?;
    serve(app, Listeners { clients: tcp, metrics }, transport, shutdown).await
}

/// As many files as the system lets this process have: many systems begin with 1 024, and each live stream is one.
pub fn raise_file_limit() {
    let known = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: known.maximum, maximum: known.maximum });
    let limit = if raised.is_ok() { known.maximum } else { known.current };
    // Beside the connections: the database, the log and the packs that are read and written.
    if limit.is_some_and(|limit| limit < limits::CONNECTIONS_MAX as u64 + FILES_BESIDE) {
        tracing::warn!(limit, "this process may open fewer files than it takes connections: raise ulimit -n");
    }
}

/// How many processes may use a data folder at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Users {
    /// One: SQLite is inside it.
    One,
    /// Any number, as long as all of them are of this kind: their database is PostgreSQL.
    Several,
}

impl Users {
    /// Of a server with these options.
    pub(crate) fn of(config: &Config) -> Self {
        if config.database.is_some() { Self::Several } else { Self::One }
    }
}

/// Takes the data folder for this process, alone or with others; the lock ends with it, however it ends.
pub(crate) fn lock(data: &Path, users: Users) -> anyhow::Result<File> {
    private_folder(data).with_context(|| format!("cannot make the data folder {}", data.display()))?;
    let file = private_file(&data.join("lock"))?;
    let taken = match users {
        Users::One => file.try_lock(),
        Users::Several => file.try_lock_shared(),
    };
    match taken {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another segue-server already runs on the data folder {}", data.display())
        }
        Err(TryLockError::Error(error)) => Err(error).context("cannot lock the data folder"),
    }
}

/// Opens, or makes for the server's account alone.
pub(crate) fn private_file(path: &Path) -> anyhow::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    file.with_context(|| format!("cannot write {}", path.display()))
}

/// Opens the database, and brings it up to date.
pub(crate) async fn database(config: &Config) -> anyhow::Result<Db> {
    if let Some(url) = &config.database {
        let opened = Db::open_postgres(&url.0).await.map_err(migrations::advise);
        return opened.context("cannot open the PostgreSQL database");
    }
    let file = config.data.join("segue.db");
    // SQLite gives its other files the mode of this one.
    drop(private_file(&file)?);
    let opened = Db::open_sqlite(&file).await.map_err(migrations::advise);
    opened.with_context(|| format!("cannot open the database {}", file.display()))
}

async fn open(config: &Config, url: &str) -> anyhow::Result<App> {
    let db = database(config).await?;
    let mut fresh = [0; 16];
    system_random()(&mut fresh)?;
    let server_id = identity::of(&db, &fresh).await.context("cannot read the server's id")?;
    let packs = Packs::open(&config.data.join("packs")).context("cannot open the pack folder")?;
    let post = Post::new(transport(config, url)?, config.mail_from.as_deref(), url)?;
    let settings = Settings {
        plan: config.plan,
        requests_per_minute: config.requests_per_minute,
        pairing_seconds: config.pairing_seconds,
        sign_up: config.sign_up.clone(),
        connections: bounds(config),
        trusted_proxies: Proxies(config.trusted_proxies.clone()),
        ..Settings::default()
    };
    Ok(App {
        db,
        packs,
        clock: Arc::new(SystemClock),
        metrics: Arc::new(Metrics::new(SystemClock.now())),
        random: system_random(),
        post,
        rates: Rates::new(settings.requests_per_minute),
        news: News::default(),
        scrubbing: Notify::new(),
        server_id,
        settings,
    })
}

/// Without an SMTP server, mails are written to the data folder, where the operator finds them.
fn transport(config: &Config, url: &str) -> anyhow::Result<mail::Transport> {
    if let Some(smtp) = &config.smtp_url {
        return mail::Transport::smtp(&smtp.0, &mail::host(url));
    }
    let folder = config.data.join("mail");
    tracing::info!(folder = %folder.display(), "no --smtp-url: mails are written to files");
    mail::Transport::folder(folder).context("cannot make the mail folder")
}

/// Who listens on loopback is met by a proxy, which brings everybody from one address, or by this machine's own people.
/// When it is told which proxies to believe, it knows whom they bring.
fn bounds(config: &Config) -> Bounds {
    let bounds = Bounds::default();
    if config.listen.ip().is_loopback() && config.trusted_proxies.is_empty() {
        Bounds { per_address: bounds.all, ..bounds }
    } else {
        bounds
    }
}

fn local_url(config: &Config, address: SocketAddr) -> String {
    let scheme = if config.tls_cert.is_some() { "https" } else { "http" };
    let reachable = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ip => ip,
    };
    format!("{scheme}://{}", SocketAddr::new(reachable, address.port()))
}

/// A link that makes its first opener the owner. The token stands in the fragment, which no browser or proxy sends on.
fn owner_link(url: &str, token: &str) -> String {
    format!("{}/join#1.{token}", url.trim_end_matches('/'))
}

/// The one line on standard output, for scripts and people; its shape is fixed.
fn say_ready(json: bool, url: &str, owner_link: Option<&str>) -> anyhow::Result<()> {
    let line = match (json, owner_link) {
        (true, Some(link)) => json!({"event": "ready", "url": url, "owner_link": link}).to_string(),
        (true, None) => json!({"event": "ready", "url": url}).to_string(),
        (false, Some(link)) => {
            format!("Segue is ready at {url}. Join as its owner (once, within a day): segue join '{link}'")
        }
        (false, None) => format!("Segue is ready at {url}."),
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Ends with SIGTERM or SIGINT.
fn stop_signal() -> anyhow::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = CancellationToken::new();
    let told = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        told.cancel();
    });
    Ok(shutdown)
}
