//! The view of a chat as it is now, for another device.

use std::env;

use segue_bundle::Owner;
use segue_crypto::UserRoot;
use segue_domain::PairingId;
use segue_formats::{
    Env, Found, Handed, Header, Turn,
    active_view::{
        ActiveView, Backfill, Draft, KeyCardBytes, Partial, Pointer, Scene, Secret32, Source, SourceKind, TailSink,
    },
    route,
};

use crate::{
    account::Account,
    capture::Capture,
    environment::{self, random},
    error::{CliError, Exit, Result},
    library::{Native, Record},
};

/// What opens and reads the bundle that follows a view. It travels in the sealed view and nowhere else.
pub struct Secrets {
    key: [u8; 32],
    /// Reads the bundle.
    pub token: [u8; 32],
}

impl Secrets {
    /// Draws fresh ones.
    pub fn draw() -> Result<Self> {
        Ok(Self { key: random()?, token: random()? })
    }

    /// From a view that came.
    pub fn of(backfill: &Backfill) -> Self {
        Self { key: backfill.key.0, token: backfill.token.0 }
    }

    /// Does something as the owner of the bundle: its key locks the bundle as an owner's does, for this pairing alone.
    pub fn as_owner<T>(&self, pairing: PairingId, work: impl FnOnce(Owner<'_>) -> T) -> T {
        let keys = UserRoot::from_bytes(self.key).epoch(1);
        work(Owner { key: &keys.owner, user_id: &pairing.to_string(), epoch: 1 })
    }
}

/// What a private chat's view is longer by.
const PRIVATE: &str = r#","private":true"#;

/// A view and what it was made of.
pub struct Made {
    /// The view, encoded.
    pub bytes: Vec<u8>,
    /// What the session was then.
    pub handed: Handed,
}

/// A session that was read for its view.
pub struct Chat {
    found: Found,
    header: Header,
    tail: TailSink<'static>,
}

impl Chat {
    /// Captures it, as long as it is now.
    pub fn read(tools: &Env, found: Found) -> Result<(Self, Capture)> {
        let mut tail = TailSink::default();
        let capture = Capture::from_tool(tools, &found, Some(&mut tail))?;
        Ok((Self { header: capture.header.clone(), tail, found }, capture))
    }

    /// Where its tool has it.
    pub fn native(&self) -> Native {
        let Found { native_id, path, cwd, .. } = self.found.clone();
        Native { id: native_id, path, cwd: cwd.unwrap_or_default() }
    }
}

/// Makes the view of a chat, at most `room` bytes long.
pub fn make(
    tools: &Env,
    account: &Account,
    chat: &Chat,
    record: &Record,
    draft: Option<String>,
    secrets: &Secrets,
    room: usize,
) -> Result<Made> {
    let Chat { found, header, tail } = chat;
    let format = segue_formats::format_for(found.tool);
    let partial = match format.turn(found).map_err(CliError::session)? {
        Turn::Running { partial: Some(text), .. } => Some(Partial::of(&text)),
        Turn::Running { partial: None, .. } | Turn::Idle => None,
    };
    let cwd = found.cwd.clone().unwrap_or_default();
    let variables = route::Variables::read(|name| env::var_os(name));
    let scene = Scene {
        session_id: record.session_id.clone(),
        source: Source {
            device_id: account.device_id.clone(),
            name: environment::device_name(),
            kind: SourceKind::Cli,
            user_id: account.user_id.clone(),
            email: Some(account.email.clone()),
            key_card: Some(KeyCardBytes(account.key_card()?.encode())),
        },
        pointer: Pointer { anchor: tail.last_id(), ..Pointer::default() },
        draft: draft.map(|text| Draft { caret: text.len(), text }),
        partial,
        route: route::describe(tools, &variables, &cwd, header),
        backfill: Some(Backfill { key: Secret32(secrets.key), token: Secret32(secrets.token) }),
    };
    let view = ActiveView::new(header, tail, scene, room - PRIVATE.len());
    let view = view.map(|mut view| {
        view.chat.private = record.private;
        view
    });
    let bytes = view.and_then(|view| view.encode()).map_err(|error| {
        CliError::new(Exit::Error, "view", format!("the view of this session cannot be made: {error}"))
    })?;
    let head = tail.head();
    Ok(Made { bytes, handed: Handed { len: found.len, count: head.count(), head_hash: head.hash() } })
}
