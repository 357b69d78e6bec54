//! How mails leave: to an SMTP server, or, while none is named, into a folder.

use std::{
    fs, io,
    io::Write as _,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use segue_domain::limits::{MAIL_FILES_MAX, MAIL_SECONDS_MAX};
use url::Url;

use crate::packs::private_folder;

/// Where mails go.
#[derive(Debug)]
pub enum Transport {
    /// To an SMTP server, which takes care of the rest.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    /// Into a folder, a file each: for trying things out, and for who mails in another way.
    Folder(PathBuf),
}

/// Why a mail was not sent.
#[derive(Debug)]
pub(super) enum Unsent {
    /// It may be taken later.
    Later(String),
    /// It will not be taken, however often it is offered.
    Never(String),
}

impl Transport {
    /// The SMTP server of a URL: `smtps://` is TLS from the beginning, `smtp://` becomes TLS before anything is said. Without TLS
    /// only on this machine, or with `?tls=none` and no password.
    ///
    /// # Errors
    /// They do not repeat the URL, which may hold a password.
    pub fn smtp(url: &str, hello: &str) -> anyhow::Result<Self> {
        let url = Url::parse(url).ok().context("the SMTP address is not a URL like smtps://user:password@host:465")?;
        let name = url.host_str().filter(|host| !host.is_empty()).context("the SMTP address names no host")?;
        let name = name.trim_matches(['[', ']']).to_owned();
        let told = url.query_pairs().find(|(key, _)| key == "tls").map(|(_, value)| value.into_owned());
        let tls = || TlsParameters::new(name.clone()).context("TLS for SMTP cannot begin");
        let (tls, port) = match (url.scheme(), told.as_deref()) {
            ("smtps", None) => (Tls::Wrapper(tls()?), 465),
            ("smtp", None) if is_here(&name) => (Tls::None, 25),
            ("smtp", None) => (Tls::Required(tls()?), 587),
            ("smtp", Some("none")) if url.password().is_none() || is_here(&name) => (Tls::None, 25),
            ("smtp", Some("none")) => bail!("a password is sent to an SMTP server over TLS only"),
            _ => bail!("the SMTP address begins with smtp:// or smtps://, and ends in nothing or ?tls=none"),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(name)
            .tls(tls)
            .port(url.port().unwrap_or(port))
            .hello_name(ClientId::Domain(hello.to_owned()))
            .timeout(Some(Duration::from_secs(MAIL_SECONDS_MAX)));
        if let Some(password) = url.password() {
            builder = builder.credentials(Credentials::new(decoded(url.username()), decoded(password)));
        }
        Ok(Self::Smtp(Box::new(builder.build())))
    }

    /// A folder, made for the server's account alone.
    pub fn folder(folder: PathBuf) -> io::Result<Self> {
        private_folder(&folder)?;
        Ok(Self::Folder(folder))
    }

    /// Hands a mail on; `name` is what its file is called. On return somebody else has it, on disk.
    pub(super) async fn send(&self, message: Message, name: &str) -> Result<(), Unsent> {
        let limit = Duration::from_secs(MAIL_SECONDS_MAX);
        match self {
            Self::Smtp(smtp) => match tokio::time::timeout(limit, smtp.send(message)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(unsent(&error)),
                Err(_) => Err(Unsent::Later("the SMTP server took too long".to_owned())),
            },
            Self::Folder(folder) => {
                let (folder, name) = (folder.clone(), name.to_owned());
                let written = tokio::task::spawn_blocking(move || write(&folder, &name, &message.formatted())).await;
                written.map_err(io::Error::other).flatten().map_err(|error| Unsent::Later(error.to_string()))
            }
        }
    }
}

/// A URL of a scheme that browsers do not know keeps a number as a name.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn decoded(text: &str) -> String {
    let pair = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// A refusal of the server's own access is the operator's to mend; any other final refusal is about this mail.
fn unsent(error: &lettre::transport::smtp::Error) -> Unsent {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    let code = error.status().map(u16::from);
    match code {
        Some(530 | 534 | 535 | 538) => Unsent::Later(text),
        _ if error.is_permanent() => Unsent::Never(text),
        _ => Unsent::Later(text),
    }
}

/// Writes a mail under its final name at once, and drops the oldest of too many.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (path, temporary) = (folder.join(format!("{name}.eml")), folder.join(format!("{name}.part")));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, &path)?;
    fs::File::open(folder)?.sync_all()?;
    let mut names: Vec<_> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    names.sort();
    let many = names.len().saturating_sub(MAIL_FILES_MAX);
    names[..many].iter().try_for_each(fs::remove_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_goes_over_tls_only_and_is_never_repeated() {
        for url in
            ["smtp://u:hunter2@mail.example.com?tls=none", "http://u:hunter2@h", "u:hunter2", "smtps://u:hunter2@"]
        {
            let error = Transport::smtp(url, "h").unwrap_err();
            assert!(!format!("{error:#}").contains("hunter2"), "{error:#}");
        }
        for url in ["smtp://mail.example.com?tls=none", "smtp://u:p@localhost:2525", "smtps://u:p%40@mail.example.com"]
        {
            assert!(!format!("{:?}", Transport::smtp(url, "h").unwrap()).contains("p@"));
        }
        assert_eq!((decoded("p%40+"), decoded("a&b=c%26")), ("p@+".to_owned(), "a&b=c&".to_owned()));
    }

    #[test]
    fn of_too_many_files_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..=MAIL_FILES_MAX {
            fs::write(folder.path().join(format!("{number:06}.eml")), "").unwrap();
        }
        write(folder.path(), "999999", b"x").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), MAIL_FILES_MAX);
        assert!(!folder.path().join("000001.eml").exists() && folder.path().join("000002.eml").exists());
        assert_eq!(fs::read(folder.path().join("999999.eml")).unwrap(), b"x");
    }
}
