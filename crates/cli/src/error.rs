//! Errors as a person meets them: what failed, and what to do next; and the exit code a script meets (SPEC C).

use std::{fmt, io};

use segue_api::Code;

/// The exit codes of `segue` that mean a failure (SPEC C). Others come with what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Something failed that has no code of its own.
    Error = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Nobody is signed in here.
    NotSignedIn = 3,
    /// There is no such thing, or it is not yours.
    NotFound = 4,
    /// Somebody or something else was faster.
    Conflict = 5,
    /// The server or the way to it failed.
    Network = 6,
    /// A signature, hash or identity does not verify.
    Verification = 9,
    /// Too late.
    Gone = 10,
    /// The person ended it.
    Interrupted = 130,
}

/// Why a command failed.
#[derive(Debug)]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// A stable word for `--json`.
    pub code: &'static str,
    /// What failed.
    pub message: String,
    /// What to do next; may be empty.
    pub hint: String,
}

/// What commands return.
pub type Result<T, E = CliError> = std::result::Result<T, E>;

impl CliError {
    /// An error with its exit code, stable word and sentence.
    pub fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self { exit, code, message: message.into(), hint: String::new() }
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The command line asks for something that cannot be.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// There is no such thing here.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, "not_found", message)
    }

    /// Nothing of it may be believed.
    pub fn verification(message: impl Into<String>) -> Self {
        Self::new(Exit::Verification, "verification_failed", message)
    }

    /// A session in its tool, or as it was pulled, cannot be read.
    pub fn session(error: impl fmt::Display) -> Self {
        Self::new(Exit::Error, "capture", format!("the session cannot be read: {error}"))
    }

    /// A file of our own cannot be read or written.
    pub fn file(what: impl fmt::Display, path: &std::path::Path, error: &io::Error) -> Self {
        Self::new(Exit::Error, "file", format!("cannot {what} {}: {error}", path.display()))
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}

/// The exit code and word of a server's answer.
pub fn of_code(code: Code) -> (Exit, &'static str) {
    match code {
        Code::NotSignedIn => (Exit::NotSignedIn, "not_signed_in"),
        Code::NotFound => (Exit::NotFound, "not_found"),
        Code::MethodNotAllowed => (Exit::Error, "method_not_allowed"),
        Code::Invalid => (Exit::Usage, "invalid"),
        Code::Unverified => (Exit::Verification, "unverified"),
        Code::AlreadyClaimed => (Exit::Conflict, "already_claimed"),
        Code::Revoked => (Exit::Gone, "revoked"),
        Code::Declined => (Exit::Gone, "declined"),
        Code::Expired => (Exit::Gone, "expired"),
        Code::Busy => (Exit::Conflict, "busy"),
        Code::CodeMismatch => (Exit::Verification, "code_mismatch"),
        Code::LeaseLost => (Exit::Conflict, "lease_lost"),
        Code::OtherPurpose => (Exit::Usage, "other_purpose"),
        Code::WrongProof => (Exit::Verification, "wrong_proof"),
        Code::StaleKey => (Exit::Conflict, "stale_key"),
        Code::Diverged => (Exit::Conflict, "diverged"),
        Code::InsufficientScope => (Exit::Error, "insufficient_scope"),
        Code::RecipientNotJoined => (Exit::NotFound, "recipient_not_joined"),
        Code::NotInProject => (Exit::NotFound, "not_in_project"),
        Code::PackUnusable => (Exit::Conflict, "pack_unusable"),
        Code::IdempotencyKeyReused => (Exit::Conflict, "idempotency_key_reused"),
        Code::Conflict => (Exit::Conflict, "conflict"),
        Code::OwnerOnly => (Exit::Error, "owner_only"),
        Code::TeamAdminOnly => (Exit::Error, "team_admin_only"),
        Code::SignUpClosed => (Exit::Error, "sign_up_closed"),
        Code::AddressNotVerified => (Exit::Error, "address_not_verified"),
        Code::UpgradeRequired => (Exit::Error, "upgrade_required"),
        Code::StorageFull => (Exit::Error, "storage_full"),
        Code::TooLarge => (Exit::Error, "too_large"),
        Code::RateLimited => (Exit::Network, "rate_limited"),
        Code::Unavailable => (Exit::Network, "unavailable"),
        Code::Internal => (Exit::Network, "internal"),
    }
}
