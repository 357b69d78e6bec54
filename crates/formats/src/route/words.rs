//! The sentences, one for each result, in exactly these words.

use std::fmt;

use super::RouteCheck;

impl fmt::Display for RouteCheck {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { model: Some(model), provider } => write!(out, "Same route ready: {model} via {provider}"),
            Self::Ready { model: None, provider } => write!(out, "Same route ready: {provider}"),
            Self::NeedsKey { provider } => {
                write!(out, "This device has no {provider} key. You can read and write; replies need a route.")
            }
            Self::NeedsTool { tool } => {
                write!(out, "{tool} is not installed here. You can read and write; replies need a route.")
            }
            Self::LocalOnly { device } => write!(out, "Runs on {device} only."),
            Self::Unreachable { device } => write!(out, "{device} is not reachable now."),
            Self::SmallerContext { here, there } => write!(
                out,
                "Works; {} context here vs {} — older turns will be trimmed.",
                Tokens(*here),
                Tokens(*there)
            ),
            Self::Unknown => out.write_str("Cannot check offline."),
        }
    }
}

/// What to say when the first reply after a handoff fails with an HTTP status: the handoff is not to blame.
pub fn failed_generation(status: u16) -> String {
    format!("Handoff is fine. The route answered {status}.")
}

/// A number of tokens, in thousands where there are some.
struct Tokens(u64);

impl fmt::Display for Tokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1000 { write!(out, "{}", self.0) } else { write!(out, "{}k", self.0 / 1000) }
    }
}
