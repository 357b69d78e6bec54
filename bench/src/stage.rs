//! A release-built server with Ann and Ben on it, both joined before any clock starts.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use segue_e2e::{
    person::Person,
    server::{Options, Server},
    story::{ANN, BEN, id},
};

use crate::proxy::{Line, Proxy};

/// How the two reach their server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Straight.
    Direct,
    /// Through a proxy that counts.
    Counted,
    /// Over a line as there is between two places.
    Line(Line),
}

impl Way {
    /// What stands before a port of this machine, if something does.
    pub(crate) fn proxy(self, port: u16) -> Result<Option<Proxy>> {
        match self {
            Self::Direct => Ok(None),
            Self::Counted => Proxy::start(port, None).map(Some),
            Self::Line(line) => Proxy::start(port, Some(line)).map(Some),
        }
    }
}

/// A server, Ann and Ben. Authentication is on and SQLite commits with `synchronous=FULL`, as always.
pub(crate) struct Stage {
    /// The server.
    pub(crate) server: Server,
    /// Who hands over.
    pub(crate) ann: Person,
    /// Who is handed to.
    pub(crate) ben: Person,
    /// What stands between, if something does.
    pub(crate) proxy: Option<Proxy>,
}

impl Stage {
    /// Everything below `root`.
    pub(crate) fn begin(root: &Path, tls: bool, way: Way) -> Result<Self> {
        Self::begin_with(root, tls, way, Vec::new())
    }

    /// The same, with more variables for the server.
    pub(crate) fn begin_with(root: &Path, tls: bool, way: Way, variables: Vec<(OsString, OsString)>) -> Result<Self> {
        fs::create_dir_all(root)?;
        let (cert_file, key_file) = (root.join("cert.pem"), root.join("key.pem"));
        let mut options = Options { variables, ..Options::default() };
        if tls {
            let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
            fs::write(&cert_file, cert.pem())?;
            fs::write(&key_file, signing_key.serialize_pem())?;
            options.arguments =
                vec!["--tls-cert".into(), cert_file.clone().into(), "--tls-key".into(), key_file.into()];
        }
        let server = Server::start(&root.join("server"), &options)?;
        let port = port_of(server.url())?;
        let proxy = way.proxy(port)?;
        let through = proxy.as_ref().map_or(port, Proxy::port);
        let [ann, ben] = ["ann", "ben"].map(|name| Person::new(&root.join(name)));
        let (mut ann, mut ben) = (ann?, ben?);
        if tls {
            (ann, ben) = (ann.with("SSL_CERT_FILE", &cert_file), ben.with("SSL_CERT_FILE", &cert_file));
        }
        // Where somebody joined is where all their later commands go.
        let by_way = |link: &str| link.replace(&format!(":{port}/"), &format!(":{through}/"));
        let owner_link = server.owner_link().context("the server printed no owner link")?;
        ann.json(&["join", &by_way(owner_link), "--email", ANN, "--name", "Ann"])?;
        let invite = id(&ann.json(&["invite", BEN, "--vouch"])?, "link")?;
        ben.json(&["join", &by_way(&invite)])?;
        Ok(Self { server, ann, ben, proxy })
    }

    /// Where clients find the server.
    pub(crate) fn url(&self) -> Result<String> {
        let (url, port) = (self.server.url(), port_of(self.server.url())?);
        let through = self.proxy.as_ref().map_or(port, Proxy::port);
        Ok(url.replace(&format!(":{port}"), &format!(":{through}")))
    }

    /// Hands one of Ann's sessions over, from her command to the bytes on Ben's disk; the path of those.
    pub(crate) fn hand_over(&self, session: &str) -> Result<std::path::PathBuf> {
        let handoff = id(&self.ann.json(&["handoff", session, "--to", BEN])?, "handoff_id")?;
        let received = id(&self.ben.json(&["pull-handoff", &handoff])?, "session_id")?;
        Ok(self.ben.segue_home().join("sessions").join(received).join("content/native/session.jsonl"))
    }
}

/// The tool's id of a generated session.
pub(crate) fn native_id(session: &Path) -> Result<&str> {
    session.file_stem().and_then(|name| name.to_str()).context("a session is named by its id")
}

/// What somebody's requests are authenticated by.
pub(crate) fn token(person: &Person) -> Result<String> {
    let account = serde_json::from_slice(&fs::read(person.segue_home().join("account.json"))?)?;
    id(&account, "token")
}

/// The port in an address such as `https://127.0.0.1:4000`.
pub(crate) fn port_of(url: &str) -> Result<u16> {
    Ok(url.trim_end_matches('/').rsplit(':').next().context("an address has a port")?.parse()?)
}
