//! Can this device make replies as the source did? Looked at before anything is resumed; nothing is ever put in the place
//! of a route that does not work (SPEC D4).

use serde::Serialize;

use super::{HostKind, Need, Reach, Route, RouteKind};

/// What the destination has: booleans, never what lets it in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Local {
    /// The tool's name as people know it, for sentences.
    pub tool: String,
    /// Whether the tool, or something else that can use such a route, is installed.
    pub installed: bool,
    /// Whether it is signed in at the provider; `None` where that cannot be seen.
    pub logged_in: Option<bool>,
    /// Whether a key, or a helper that gives one, is set up.
    pub api_key: bool,
    /// The cloud platform that it uses, by the word of [`Route::provider`]; the platform keeps its own credentials.
    pub platform: Option<String>,
    /// Where its requests go.
    pub host: HostKind,
    /// Whether it is the very device that the chat comes from.
    pub same_device: bool,
    /// Whether a try to reach the route's host worked; `None` where none was made.
    pub reachable: Option<bool>,
    /// The models that it can use, where they are known.
    pub models: Option<Vec<ModelHere>>,
}

/// A model that the destination can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelHere {
    /// Its name.
    pub name: String,
    /// How many tokens fit into its context here.
    pub context_tokens: Option<u64>,
}

/// What became of the question. Its JSON has the word in `result`; [`Display`](std::fmt::Display) is the sentence for the
/// person. Names in it are text from others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum RouteCheck {
    /// The same route works here.
    Ready {
        /// The model.
        model: Option<String>,
        /// Who lets one in.
        provider: String,
    },
    /// The provider is known, and nothing here lets one in.
    NeedsKey {
        /// The provider.
        provider: String,
    },
    /// The tool that uses such routes is not installed here.
    NeedsTool {
        /// The tool.
        tool: String,
    },
    /// It works on the source alone.
    LocalOnly {
        /// The source.
        device: String,
    },
    /// The host in the source's network does not answer.
    Unreachable {
        /// The source.
        device: String,
    },
    /// It works, with a smaller context.
    SmallerContext {
        /// Tokens that fit here.
        here: u64,
        /// Tokens that fit there.
        there: u64,
    },
    /// Nobody can tell without trying.
    Unknown,
}

/// Whether the route of a device called `source` works on this one.
pub fn check(route: &Route, source: &str, here: &Local) -> RouteCheck {
    let device = || source.to_owned();
    match (route.kind, route.reach) {
        (RouteKind::Unknown, _) | (_, Reach::Unknown) => return RouteCheck::Unknown,
        (_, Reach::SameDevice) if !here.same_device => return RouteCheck::LocalOnly { device: device() },
        (RouteKind::Tunnel, _) | (_, Reach::SameLan) => match here.reachable {
            Some(false) => return RouteCheck::Unreachable { device: device() },
            None if !here.same_device => return RouteCheck::Unknown,
            _ => {}
        },
        _ => {}
    }
    if !here.installed {
        return RouteCheck::NeedsTool { tool: here.tool.clone() };
    }
    match access(route, here) {
        Some(true) => models(route, here),
        Some(false) => RouteCheck::NeedsKey { provider: provider_of(route) },
        None => RouteCheck::Unknown,
    }
}

/// Whether this device is let in by the same provider; `None` where that cannot be seen.
fn access(route: &Route, here: &Local) -> Option<bool> {
    let same_provider = match (route.provider.as_deref(), here.platform.as_deref()) {
        (Some("anthropic"), None) => here.host == HostKind::Default,
        (Some("bedrock" | "vertex" | "foundry"), platform) => platform == route.provider.as_deref(),
        // An address of the person's own: whether this device's is the same one, only they know.
        (_, None) if here.same_device => return Some(true),
        (_, None) if here.host != HostKind::Default => return None,
        _ => false,
    };
    if !same_provider {
        return Some(false);
    }
    let has = |need: &Need| match need {
        Need::ApiKey => Some(here.api_key),
        Need::Login => here.logged_in,
        // The switch is set; the platform's own chain of credentials is not looked into.
        Need::CloudCredentials => Some(true),
        Need::Unknown => None,
    };
    if route.needs.is_empty() || route.needs.iter().any(|need| has(need) == Some(true)) {
        return Some(true);
    }
    if route.needs.iter().any(|need| has(need).is_none()) { None } else { Some(false) }
}

fn models(route: &Route, here: &Local) -> RouteCheck {
    let ready = RouteCheck::Ready { model: route.model.clone(), provider: provider_of(route) };
    let (Some(models), Some(model)) = (&here.models, &route.model) else { return ready };
    let Some(found) = models.iter().find(|found| found.name == *model) else { return RouteCheck::Unknown };
    match (found.context_tokens, route.context_tokens) {
        (Some(here), Some(there)) if here < there => RouteCheck::SmallerContext { here, there },
        _ => ready,
    }
}

fn provider_of(route: &Route) -> String {
    match route.provider.as_deref() {
        Some("anthropic") => "Anthropic",
        Some("bedrock") => "Amazon Bedrock",
        Some("vertex") => "Google Vertex AI",
        Some("foundry") => "Microsoft Foundry",
        Some(other) => other,
        None => "matching",
    }
    .to_owned()
}
