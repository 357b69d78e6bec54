//! What a chat is that arrives, before anything is made of it (SPEC D2, D4).

use std::env;

use segue_formats::{
    Env,
    active_view::ActiveView,
    route::{self, RouteCheck},
    view::{Part, Role},
};
use serde_json::{Value, json};

use crate::{environment, error::Result, untrusted::Untrusted};

/// What is shown of a view, and whether replies can be made here.
pub struct Preview {
    /// For a person.
    pub text: String,
    /// For a program.
    pub value: Value,
}

/// Looks at a view and at this machine.
pub fn of(view: &ActiveView, tools: &Env) -> Result<Preview> {
    let route = check_route(view, tools)?;
    let (chat, source) = (&view.chat, &view.source);
    let title = chat.title.as_deref().unwrap_or("a session without title");
    let by = source.email.as_deref().map(|email| format!(" ({})", Untrusted(email).short(80))).unwrap_or_default();
    let mut lines = vec![
        format!("{} · {} · {} messages", Untrusted(title).short(80), Untrusted(&chat.tool).short(40), chat.count),
        format!("From “{}”{by}", Untrusted(&source.name).short(60)),
    ];
    lines.extend(last_words(view).map(|(who, text)| format!("Last, by {who}: {}", Untrusted(&text).short(200))));
    lines.extend(view.draft.as_ref().map(|draft| format!("Being written: {}", Untrusted(&draft.text).short(200))));
    lines.extend(
        view.partial.as_ref().map(|partial| format!("Reply in flight: {}", Untrusted(&partial.text).short(200))),
    );
    lines.push(Untrusted(&route.to_string()).short(300));
    let value = json!({
        "session_id": chat.session_id, "title": chat.title, "tool": chat.tool, "model": chat.model, "messages": chat.count,
        "head_id": chat.head_id, "source": {"device_id": source.device_id, "name": source.name, "email": source.email},
        "place": {"anchor": view.pointer.anchor, "fraction": view.pointer.fraction, "unread_from": view.pointer.unread_from},
        "draft": view.draft.as_ref().map(|draft| &draft.text), "partial": view.partial.as_ref().map(|partial| &partial.text),
        "route": serde_json::to_value(&route).unwrap_or_default(),
    });
    Ok(Preview { text: lines.join("\n"), value })
}

fn check_route(view: &ActiveView, tools: &Env) -> Result<RouteCheck> {
    let variables = route::Variables::read(|name| env::var_os(name));
    let here = environment::current_dir()?;
    let local = route::find_local(tools, &variables, &here, env::var_os("PATH").as_deref());
    Ok(route::check(&view.route, &view.source.name, &local))
}

/// The last words that somebody said, and who.
fn last_words(view: &ActiveView) -> Option<(&'static str, String)> {
    view.tail.messages.iter().rev().find_map(|entry| {
        let (message, _) = entry.message()?;
        let who = match message.role {
            Role::User => "you",
            Role::Assistant => "the model",
            Role::Tool => return None,
        };
        message.parts.into_iter().rev().find_map(|part| match part {
            Part::Text { text, .. } => Some((who, text)),
            _ => None,
        })
    })
}
