//! Which statuses a route can give. Most follow from what a route is; a table has the rest. What is not documented here is a bug,
//! and schemathesis looks for it (`docs/testing.md`).

use std::collections::BTreeMap;

use utoipa::openapi::{
    self, RefOr,
    path::{Operation, ParameterIn, PathItem},
    response::Response,
    security::SecurityRequirement,
};

/// From every route: too many requests, the server failed, it stops or its database does not answer.
const ALWAYS: [(u16, &str); 3] = [
    (429, "Too many requests; `retry-after` says when to come back."),
    (500, "The server failed; its log has the reason under `request_id`."),
    (503, "The server is stopping, busy, or was kept waiting; `retry-after` says when to come back."),
];
/// From every route that asks who asks.
const SIGNED_IN: [(u16, &str); 2] = [(401, "No valid token."), (403, "Not with this token, role, plan or address.")];
/// From every route that is asked for something by its id.
const NAMED: (u16, &str) = (404, "There is no such thing, or it is not yours.");
/// From every route that reads more than a path.
const READ: (u16, &str) = (422, "The request is not what the route takes.");
/// From every route with a body.
const BODY: (u16, &str) = (413, "The body is larger than the route takes.");
/// From every route that changes something.
const CHANGED: [(u16, &str); 2] = [
    (409, "It is no longer as the request says."),
    (507, "The server's disk is full. Nothing that was stored is lost."),
];
/// From routes about what ends by itself.
const OVER: (u16, &str) = (410, "It has expired.");
/// From routes that send a part of something.
const PART: (u16, &str) = (416, "The range begins after the end.");

/// Routes that name something in their body.
const NAMED_IN_BODY: [&str; 7] = [
    "/api/v1/bundles",
    "/api/v1/handoffs",
    "/api/v1/handoffs/reserve",
    "/api/v1/invites/open",
    "/api/v1/join",
    "/api/v1/pairings/lease",
    "/api/v1/vouches",
];
/// Routes about what ends by itself.
const ENDS: [&str; 18] = [
    "/api/v1/account/verification/confirm",
    "/api/v1/handoffs",
    "/api/v1/handoffs/{id}/claim",
    "/api/v1/handoffs/{id}/decline",
    "/api/v1/handoffs/{id}/revoke",
    "/api/v1/handoffs/{id}/wraps",
    "/api/v1/invites/open",
    "/api/v1/join",
    "/api/v1/pairings/{id}/acknowledge",
    "/api/v1/pairings/{id}/answer",
    "/api/v1/pairings/{id}/claim",
    "/api/v1/pairings/{id}/complete",
    "/api/v1/pairings/{id}/device",
    "/api/v1/pairings/{id}/received",
    "/api/v1/pairings/{id}/refuse",
    "/api/v1/pairings/{id}/return",
    "/api/v1/pairings/{id}/revoke",
    "/api/v1/pairings/{id}/take-back",
];
/// Routes without a token that some servers do not offer.
const CLOSED: [&str; 2] = ["/api/v1/join", "/api/v1/signup"];
/// Routes that send a part where that is asked for.
const RANGES: [&str; 2] = ["/api/v1/bundles/{id}/packs/{pack_id}", "/api/v1/pairings/{id}/bundle/packs/{pack_id}"];

/// Puts each route's own statuses in the place of `default`.
pub(super) fn name(document: &mut openapi::OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for (operation, changes) in operations(item) {
            let Some(problem) = operation.responses.responses.remove("default") else { continue };
            for (status, says) in statuses(path, operation, changes) {
                let mut response = problem.clone();
                if let RefOr::T(Response { description, .. }) = &mut response {
                    says.clone_into(description);
                }
                operation.responses.responses.insert(status.to_string(), response);
            }
        }
    }
}

/// Every operation of a path, and whether it changes something.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&mut Operation, bool)> {
    let read = [&mut item.get, &mut item.head].map(|operation| (operation, false));
    let changing =
        [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete].map(|operation| (operation, true));
    read.into_iter().chain(changing).filter_map(|(operation, changes)| Some((operation.as_mut()?, changes)))
}

fn statuses(path: &str, operation: &Operation, changes: bool) -> BTreeMap<u16, &'static str> {
    let mut all = BTreeMap::from(ALWAYS);
    let has = |place: &ParameterIn| {
        operation
            .parameters
            .iter()
            .flatten()
            .any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == *place))
    };
    let signed_in = operation.security.is_none();
    // Who has a token of another kind is asked for that.
    let known = operation.security.iter().flatten().any(|scheme| *scheme != SecurityRequirement::default());
    let body = operation.request_body.is_some();
    if signed_in {
        all.extend(SIGNED_IN);
    }
    if known {
        all.extend(SIGNED_IN.into_iter().take(1));
    }
    if CLOSED.contains(&path) {
        all.extend(SIGNED_IN.into_iter().skip(1));
    }
    if has(&ParameterIn::Path) || (changes && NAMED_IN_BODY.contains(&path)) {
        all.extend([NAMED]);
    }
    if body || has(&ParameterIn::Query) || has(&ParameterIn::Header) {
        all.extend([READ]);
    }
    if body {
        all.extend([BODY]);
    }
    if changes {
        all.extend(CHANGED);
    }
    if changes && ENDS.contains(&path) {
        all.extend([OVER]);
    }
    if RANGES.contains(&path) {
        all.extend([PART]);
    }
    all
}
