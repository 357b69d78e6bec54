//! What holds for every active view, on both ends of its way.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use super::chat::{CWD_MAX, DEVICE_NAME_MAX, EMAIL_MAX, NAME_MAX, NATIVE_ID_MAX, OWN_ID_MAX, TITLE_MAX};
use super::cut::{ID_MAX, json_len};
use super::sink::TAIL_MAX;
use super::{ACTIVE_VIEW_VERSION, ActiveView, Draft, Entry, Pointer};
use crate::view::VIEW_VERSION;

/// The longest active view, in bytes: what a sealed view of the largest size class holds beside a signature, less four.
pub const ROOM_MAX: usize = 65_464;
/// The longest draft, in bytes of JSON: a quarter of the whole.
pub const DRAFT_MAX: usize = 16 * 1024;
/// The longest reply in flight, in bytes of JSON: another quarter.
pub const PARTIAL_MAX: usize = 16 * 1024;
/// The longest key card, in bytes: 64 devices and two signatures take six KiB.
pub const KEY_CARD_MAX: usize = 7 * 1024;
/// The highest count: what every JSON reader holds exactly.
pub const COUNT_MAX: u64 = (1 << 53) - 1;

/// Why something is no active view.
#[derive(Debug, Error)]
pub enum ActiveViewError {
    /// Longer than there is room for.
    #[error("the active view takes more than the {room} bytes that there are for it (at least {bytes})")]
    TooLong {
        /// What it takes.
        bytes: usize,
        /// What there is.
        room: usize,
    },
    /// Not the JSON of one.
    #[error("not an active view: {0}")]
    Malformed(#[source] serde_json::Error),
    /// By a newer Segue.
    #[error("the active view has a version that this Segue does not know: update Segue on this device")]
    UnknownVersion,
    /// A part is over its limit, or not of its form.
    #[error("the active view's {0} is too long or not of its form")]
    Part(&'static str),
}

impl ActiveView {
    /// The bytes to be sealed. Refuses what [`ActiveView::parse`] would.
    pub fn encode(&self) -> Result<Vec<u8>, ActiveViewError> {
        self.check()?;
        write(self)
    }

    /// Reads what another device gave. What it says is untrusted all the same; whether the messages are those of the head
    /// is for [`ActiveView::verify_tail`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ActiveViewError> {
        let view: Self = read(bytes, u64::from(ACTIVE_VIEW_VERSION))?;
        view.check()?;
        Ok(view)
    }

    pub(super) fn check(&self) -> Result<(), ActiveViewError> {
        let Self { chat, source, pointer, draft, partial, route, tail, .. } = self;
        let some = Option::as_deref;
        for (name, text, limit) in [
            ("session id", Some(chat.session_id.as_str()), OWN_ID_MAX),
            ("tool", Some(chat.tool.as_str()), OWN_ID_MAX),
            ("native id", Some(chat.native_id.as_str()), NATIVE_ID_MAX),
            ("title", some(&chat.title), TITLE_MAX),
            ("model", some(&chat.model), NAME_MAX),
            ("directory", some(&chat.cwd), CWD_MAX),
            ("git branch", some(&chat.git_branch), NAME_MAX),
            ("head", some(&chat.head_id), ID_MAX),
            ("device id", Some(source.device_id.as_str()), OWN_ID_MAX),
            ("device name", Some(source.name.as_str()), DEVICE_NAME_MAX),
            ("user id", Some(source.user_id.as_str()), OWN_ID_MAX),
            ("address", some(&source.email), EMAIL_MAX),
            ("reply in flight", partial.as_ref().map(|partial| partial.text.as_str()), PARTIAL_MAX),
            ("provider", some(&route.provider), NAME_MAX),
            ("route's model", some(&route.model), NAME_MAX),
        ] {
            require(text.is_none_or(|text| json_len(text) <= limit), name)?;
        }
        require(source.key_card.as_ref().is_none_or(|card| card.0.len() <= KEY_CARD_MAX), "key card")?;
        check_place(pointer, draft.as_ref())?;
        require(route.is_bounded(), "route")?;
        require(chat.count <= COUNT_MAX && tail.messages.len() <= TAIL_MAX, "number of messages")?;
        require(tail.skipped.checked_add(tail.messages.len() as u64) == Some(chat.count), "count")?;
        tail.messages.iter().try_for_each(check_entry)
    }
}

/// What is sealed between two devices: JSON of bounded length.
pub(super) fn write(value: &impl Serialize) -> Result<Vec<u8>, ActiveViewError> {
    let bytes = serde_json::to_vec(value).map_err(ActiveViewError::Malformed)?;
    if bytes.len() > ROOM_MAX {
        return Err(ActiveViewError::TooLong { bytes: bytes.len(), room: ROOM_MAX });
    }
    Ok(bytes)
}

/// The same, read; its version before all else.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8], version: u64) -> Result<T, ActiveViewError> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    if bytes.len() > ROOM_MAX {
        return Err(ActiveViewError::TooLong { bytes: bytes.len(), room: ROOM_MAX });
    }
    let Version { v } = serde_json::from_slice(bytes).map_err(ActiveViewError::Malformed)?;
    if v != version {
        return Err(ActiveViewError::UnknownVersion);
    }
    serde_json::from_slice(bytes).map_err(ActiveViewError::Malformed)
}

/// Where one was in the chat, and what was being written.
pub(super) fn check_place(pointer: &Pointer, draft: Option<&Draft>) -> Result<(), ActiveViewError> {
    for (name, id) in [("anchor", &pointer.anchor), ("unread mark", &pointer.unread_from), ("branch", &pointer.branch)]
    {
        require(id.as_ref().is_none_or(|id| json_len(id) <= ID_MAX), name)?;
    }
    require(pointer.fraction <= 1000, "fraction")?;
    require(draft.is_none_or(|draft| json_len(&draft.text) <= DRAFT_MAX), "draft")?;
    require(draft.is_none_or(|draft| draft.text.is_char_boundary(draft.caret)), "caret")
}

fn check_entry(entry: &Entry) -> Result<(), ActiveViewError> {
    let (message, _) = entry.message().ok_or(ActiveViewError::Part("message"))?;
    if message.v == VIEW_VERSION { Ok(()) } else { Err(ActiveViewError::UnknownVersion) }
}

pub(super) fn require(holds: bool, part: &'static str) -> Result<(), ActiveViewError> {
    if holds { Ok(()) } else { Err(ActiveViewError::Part(part)) }
}
