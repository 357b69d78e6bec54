//! Which route Claude Code takes, and what it has here to take one: from its settings, and never more than whether
//! something is there.
//!
//! A later place wins: the environment, then `settings.json` of the person, of the project, and `settings.local.json` of
//! the project. `CLAUDE_CODE_USE_BEDROCK`, `_VERTEX` and `_FOUNDRY` switch to a cloud platform, `ANTHROPIC_BASE_URL` to
//! another host. A key comes from `ANTHROPIC_API_KEY`, `ANTHROPIC_AUTH_TOKEN` or `apiKeyHelper`. A sign-in is in
//! `.credentials.json`, or in the system's own store, and is then named as `oauthAccount` in `.claude.json`.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::layout::config_dir;
use crate::route::{HostKind, Local, Need, Reach, Route, RouteKind};
use crate::{Env, Header};

/// The longest file of settings that is read, in bytes. `.claude.json` grows to some MiB.
const MAX_SETTINGS: u64 = 16 * 1024 * 1024;

/// How people call the tool.
const NAME: &str = "Claude Code";
const PROGRAM: &str = "claude";

/// What the environment says about Claude Code's route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    host: Option<HostKind>,
    platform: Option<&'static str>,
    key: bool,
}

const HOST: &str = "ANTHROPIC_BASE_URL";
const KEYS: [&str; 2] = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"];
/// Switches, and what they switch to.
const PLATFORMS: [(&str, &str); 3] = [
    ("CLAUDE_CODE_USE_BEDROCK", "bedrock"),
    ("CLAUDE_CODE_USE_VERTEX", "vertex"),
    ("CLAUDE_CODE_USE_FOUNDRY", "foundry"),
];

impl Variables {
    /// Looks at the variables that matter; `get` gives the value of one. Keeps no value.
    pub fn read(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        Self {
            host: get(HOST).map(|url| HostKind::of(&url.to_string_lossy())),
            platform: PLATFORMS.into_iter().find(|(name, _)| get(name).is_some_and(|on| is_on(&on))).map(|(_, to)| to),
            key: KEYS.into_iter().any(|name| get(name).is_some()),
        }
    }

    /// With what a file of settings says besides, or instead.
    fn and_then(self, settings: &Settings) -> Self {
        let said = Self::read(|name| settings.env.get(name)?.as_str().map(OsString::from));
        Self {
            host: said.host.or(self.host),
            platform: said.platform.or(self.platform),
            key: said.key || self.key || settings.api_key_helper.is_some(),
        }
    }

    /// With what the settings for this directory say.
    fn settled(&self, env: &Env, cwd: &Path) -> Self {
        let project = cwd.join(".claude");
        let files = [config_dir(env).join(SETTINGS), project.join(SETTINGS), project.join("settings.local.json")];
        files.iter().fold(self.clone(), |known, file| match read_json::<Settings>(file) {
            Some(settings) => known.and_then(&settings),
            None => known,
        })
    }
}

const SETTINGS: &str = "settings.json";

fn is_on(value: &OsStr) -> bool {
    matches!(value.to_str(), Some("1" | "true" | "yes" | "on"))
}

/// A file of settings, as far as it matters. Values of other types than text are none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    #[serde(default)]
    env: serde_json::Map<String, serde_json::Value>,
    api_key_helper: Option<IgnoredAny>,
}

/// The route of a session in `cwd`, by what is set up on this device.
pub fn describe(env: &Env, variables: &Variables, cwd: &Path, header: &Header) -> Route {
    let Variables { host, platform, key } = variables.settled(env, cwd);
    let (kind, provider, needs, reach) = match (platform, host.unwrap_or_default()) {
        (Some(platform), _) => (RouteKind::Cloud, Some(platform), vec![Need::CloudCredentials], Reach::Any),
        (None, HostKind::Default) => {
            (RouteKind::Direct, Some("anthropic"), vec![Need::Login, Need::ApiKey], Reach::Any)
        }
        (None, HostKind::Loopback) => (RouteKind::Local, None, Vec::new(), Reach::SameDevice),
        (None, HostKind::Private) => {
            (RouteKind::Local, None, if key { vec![Need::ApiKey] } else { Vec::new() }, Reach::SameLan)
        }
        (None, HostKind::Other) => (RouteKind::Cloud, Some("gateway"), vec![Need::ApiKey], Reach::Any),
    };
    let provider = provider.map(str::to_owned);
    Route { kind, provider, model: header.model.clone(), needs, reach, context_tokens: None }
}

/// What there is on this device for sessions in `cwd`; `search_path` is `PATH`. Whether the source's host can be reached,
/// and whether this is the source itself, is for the caller to add.
pub fn find_local(env: &Env, variables: &Variables, cwd: &Path, search_path: Option<&OsStr>) -> Local {
    let Variables { host, platform, key } = variables.settled(env, cwd);
    Local {
        tool: NAME.to_owned(),
        installed: is_installed(env, search_path),
        logged_in: Some(is_logged_in(env)),
        api_key: key,
        platform: platform.map(str::to_owned),
        host: host.unwrap_or_default(),
        ..Local::default()
    }
}

/// Where its installers put it, or where a shell would find it.
fn is_installed(env: &Env, search_path: Option<&OsStr>) -> bool {
    let known = [env.home.join(".local/bin"), env.home.join(".claude/local")];
    let searched = search_path.map(|path| std::env::split_paths(path).collect::<Vec<PathBuf>>()).unwrap_or_default();
    known.into_iter().chain(searched).any(|folder| fs::metadata(folder.join(PROGRAM)).is_ok_and(|meta| meta.is_file()))
}

fn is_logged_in(env: &Env) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Credentials {
        claude_ai_oauth: Option<IgnoredAny>,
        oauth_account: Option<IgnoredAny>,
    }
    let beside = env.claude_config_dir.as_ref().unwrap_or(&env.home).join(".claude.json");
    let stores = [config_dir(env).join(".credentials.json"), beside];
    let mut found = stores.iter().filter_map(|store| read_json::<Credentials>(store));
    found.any(|found| found.claude_ai_oauth.is_some() || found.oauth_account.is_some())
}

/// Reads a file; `None` if it is not there, too long or something else. Its bytes are erased.
fn read_json<Json: for<'de> Deserialize<'de>>(path: &Path) -> Option<Json> {
    let len = fs::metadata(path).ok().filter(|meta| meta.is_file() && meta.len() <= MAX_SETTINGS)?.len();
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(len).ok()? + 1));
    File::open(path).ok()?.take(len).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}
