//! Why a request is not granted.

use std::borrow::Cow;

use segue_api::{Code, Problem};
use segue_domain::{handoff::Rejected, limits, plan::TooShort};
use segue_signed::{Malformed, Unverified, roster::RosterRefused};

/// A request that is not granted, or that failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The request is at fault, or came too late.
    #[error("{}", .0.title)]
    Refused(Box<Refusal>),
    /// The server is at fault: the log has the reason, the answer is constant.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

/// An answer that says what failed and what to do next.
#[derive(Debug)]
pub struct Refusal {
    /// The HTTP status: that of the code, but for 416 and 507.
    pub status: u16,
    /// The stable word.
    pub code: Code,
    /// What failed.
    pub title: Cow<'static, str>,
    /// What to do next.
    pub way_out: Cow<'static, str>,
    /// When to come back, on [`Code::RateLimited`] and [`Code::Unavailable`].
    pub retry_after_seconds: Option<u64>,
    /// How many bytes of an upload are there, and whether they are all.
    pub upload: Option<(u64, bool)>,
}

impl Failure {
    /// A refusal with its stable word and its sentence.
    pub fn new(code: Code, title: impl Into<Cow<'static, str>>) -> Self {
        let (title, way_out) = (title.into(), Cow::Borrowed(""));
        Self::refused(status(code), code, title, way_out)
    }

    fn refused(status: u16, code: Code, title: Cow<'static, str>, way_out: Cow<'static, str>) -> Self {
        Self::Refused(Box::new(Refusal { status, code, title, way_out, retry_after_seconds: None, upload: None }))
    }

    /// Says how many bytes of an upload are there, and whether they are all.
    #[must_use]
    pub fn at(mut self, offset: u64, complete: bool) -> Self {
        if let Self::Refused(refusal) = &mut self {
            refusal.upload = Some((offset, complete));
        }
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn or(mut self, way_out: impl Into<Cow<'static, str>>) -> Self {
        if let Self::Refused(refusal) = &mut self {
            refusal.way_out = way_out.into();
        }
        self
    }

    /// The one 404: for what is not there, not the asker's, malformed or over-long (SPEC T14).
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "There is no such thing here, or it is not yours.")
    }

    /// The request is not what the route takes.
    pub fn invalid(title: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Invalid, title)
    }

    /// `what` is larger than it may be.
    pub fn too_large(what: &str, limit: u64) -> Self {
        Self::new(Code::TooLarge, format!("The {what} is larger than {limit} bytes, the most that is taken."))
    }

    /// A body is larger than the route takes.
    pub fn body_too_large() -> Self {
        Self::too_large("body", limits::BODY_BYTES_MAX as u64).or("Send less in one request; packs go by PUT packs/ID.")
    }

    /// A pack is larger than packs are.
    pub fn pack_too_large() -> Self {
        Self::too_large("pack", limits::PACK_BYTES_MAX).or("Send it as several packs.")
    }

    /// The packs inside a parcel are more than travel there.
    pub fn too_much_inline() -> Self {
        let max = limits::PACKS_INLINE_BYTES_MAX;
        Self::new(Code::TooLarge, format!("The packs inside the parcel are larger than {max} bytes."))
            .or("Upload packs first: PUT packs/ID.")
    }

    /// The asked range begins after the end of `len` bytes.
    pub fn no_such_range(len: u64) -> Self {
        let title = format!("The range begins after the end: there are {len} bytes.");
        Self::refused(416, Code::Invalid, Cow::Owned(title), Cow::Borrowed(""))
    }

    /// The server's disk is full, whatever anybody's plan says.
    pub fn disk_full() -> Self {
        let way_out = "Tell whoever runs this server. Nothing that was stored is lost.";
        Self::refused(507, Code::StorageFull, Cow::Borrowed("The server's disk is full."), Cow::Borrowed(way_out))
    }

    /// Come back later.
    pub fn later(code: Code, title: impl Into<Cow<'static, str>>, seconds: u64) -> Self {
        let mut failure = Self::new(code, title).or("Wait as long as `retry-after` says, then send it again.");
        if let Self::Refused(refusal) = &mut failure {
            refusal.retry_after_seconds = Some(seconds.max(1));
        }
        failure
    }
}

impl Refusal {
    /// The problem document.
    pub fn problem(&self) -> Problem {
        Problem {
            status: self.status,
            code: self.code,
            title: self.title.clone().into_owned(),
            detail: self.way_out.clone().into_owned(),
            request_id: None,
        }
    }
}

/// The HTTP status of each code.
fn status(code: Code) -> u16 {
    match code {
        Code::NotSignedIn => 401,
        Code::InsufficientScope
        | Code::OwnerOnly
        | Code::SignUpClosed
        | Code::TeamAdminOnly
        | Code::AddressNotVerified
        | Code::UpgradeRequired
        | Code::StorageFull => 403,
        Code::NotFound => 404,
        Code::MethodNotAllowed => 405,
        Code::AlreadyClaimed
        | Code::Busy
        | Code::CodeMismatch
        | Code::LeaseLost
        | Code::OtherPurpose
        | Code::Revoked
        | Code::Declined
        | Code::StaleKey
        | Code::Diverged
        | Code::PackUnusable
        | Code::Conflict => 409,
        Code::Expired => 410,
        Code::TooLarge => 413,
        Code::Invalid
        | Code::Unverified
        | Code::WrongProof
        | Code::RecipientNotJoined
        | Code::NotInProject
        | Code::IdempotencyKeyReused => 422,
        Code::RateLimited => 429,
        Code::Internal => 500,
        Code::Unavailable => 503,
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let serialization = |code: &str| matches!(code, "40001" | "40P01");
        if matches!(&error, sqlx::Error::Io(cause) if cause.kind() == std::io::ErrorKind::StorageFull) {
            return Self::disk_full();
        }
        let busy = match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
            // Two transactions waited for each other, and PostgreSQL undid one of them whole.
            sqlx::Error::Database(database) => database.code().is_some_and(|code| serialization(&code)),
            _ => false,
        };
        if busy {
            tracing::warn!(%error, "the database does not answer");
            return Self::later(Code::Unavailable, "The database is busy.", 1);
        }
        // SQLITE_FULL, and disk_full of PostgreSQL.
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        if code.is_some_and(|code| matches!(&*code, "13" | "53100")) {
            tracing::error!(%error, "the disk is full");
            return Self::disk_full();
        }
        if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation) {
            return Self::new(Code::Conflict, "Another request made the same thing at the same moment.")
                .or("Try again.");
        }
        Self::Internal(anyhow::Error::new(error).context("the database refused"))
    }
}

impl From<Rejected> for Failure {
    fn from(rejected: Rejected) -> Self {
        let (code, title) = match rejected {
            Rejected::AlreadyClaimed => (Code::AlreadyClaimed, "This handoff was already claimed."),
            Rejected::Revoked => (Code::Revoked, "This handoff was revoked by its sender."),
            Rejected::Declined => (Code::Declined, "This handoff was declined."),
            Rejected::Expired => (Code::Expired, "This handoff has expired."),
        };
        Self::new(code, title).or("Ask the sender for a new one.")
    }
}

impl From<TooShort> for Failure {
    fn from(_: TooShort) -> Self {
        Self::invalid("A handoff must live at least one hour.")
            .or(format!("Leave expires_in_hours out for {} hours.", limits::HANDOFF_HOURS_DEFAULT))
    }
}

impl From<Malformed> for Failure {
    fn from(error: Malformed) -> Self {
        Self::invalid(format!("A signed structure cannot be read: {error}."))
    }
}

impl From<Unverified> for Failure {
    fn from(error: Unverified) -> Self {
        Self::new(Code::Unverified, format!("A signed structure does not verify: {error}."))
    }
}

impl From<RosterRefused> for Failure {
    fn from(error: RosterRefused) -> Self {
        match error {
            RosterRefused::Unverified(error) => error.into(),
            RosterRefused::NotAdmin => Self::new(Code::TeamAdminOnly, "Only an admin of this team may change it.")
                .or("Ask one of its admins: segue team show TEAM."),
            error => Self::new(Code::Unverified, format!("This roster does not continue its team: {error}.")),
        }
    }
}
