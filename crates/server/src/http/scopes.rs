//! What a personal access token is needed for on each route. What is not listed takes a device: it seals, signs, claims or
//! manages an account.

use axum::http::Method;
use segue_api::Code;
use segue_domain::Scope;

use crate::{
    failure::Failure,
    principal::{Credential, Principal},
};

/// What a route asks of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    /// Any token.
    Any,
    /// One with this scope.
    Scope(Scope),
    /// No token will do.
    Device,
}

fn needed(method: &Method, route: &str) -> Needed {
    let (read, route) = (method == Method::GET || method == Method::HEAD, route.trim_start_matches("/api/v1/"));
    let of = |scope| Needed::Scope(scope);
    match route {
        "account" if read => Needed::Any,
        "news" | "handoffs" | "handoffs/{id}" | "handoffs/{id}/comments" | "handoffs/{id}/events" if read => {
            of(Scope::HandoffsRead)
        }
        "handoffs/{id}/revoke" | "handoffs/{id}/decline" | "handoffs/{id}/comments" => of(Scope::HandoffsWrite),
        "sessions" | "sessions/{id}" if read => of(Scope::SessionsRead),
        "teams" | "teams/{id}" | "teams/{id}/rosters" if read => of(Scope::TeamsRead),
        _ if read && (route == "projects" || route.starts_with("projects/")) => of(Scope::ProjectsRead),
        _ if route.starts_with("projects/{id}/records/") => of(Scope::ProjectsWrite),
        _ => Needed::Device,
    }
}

/// Whether who asks may use this route at all, whatever it is about.
pub(super) fn check(principal: &Principal, method: &Method, route: &str) -> Result<(), Failure> {
    let Credential::Token { scopes, .. } = &principal.credential else { return Ok(()) };
    let refused = |title: String| Failure::new(Code::InsufficientScope, title);
    match needed(method, route) {
        Needed::Any => Ok(()),
        Needed::Scope(scope) if scopes.contains(&scope) => Ok(()),
        Needed::Scope(scope) => {
            Err(refused(format!("This token is not for {scope}.")).or("Make one that is: segue token create."))
        }
        Needed::Device => Err(refused("A token cannot do this.".to_owned()).or("Use a device that has joined.")),
    }
}
