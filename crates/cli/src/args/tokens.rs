//! `segue token`.

use clap::Subcommand;
use segue_domain::{Scope, limits::TOKEN_DAYS_MAX};

/// Personal access tokens.
#[derive(Debug, Clone, Subcommand)]
pub enum Token {
    /// Make a token and print it once; it lists, reads, answers and writes records, but opens and claims nothing
    Create {
        /// What it is for
        name: String,
        /// What it may be used for; repeatable: handoffs:read, handoffs:write, sessions:read, projects:read, projects:write,
        /// teams:read
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<Scope>,
        /// When it ends by itself
        #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=i64::from(TOKEN_DAYS_MAX)))]
        days: u32,
    },
    /// Your tokens, newest first
    List(super::Page),
    /// End a token at once
    Revoke {
        /// The token's id
        token: String,
    },
}
