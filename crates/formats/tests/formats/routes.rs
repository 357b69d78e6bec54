//! What is said about a route, and what becomes of it on another device.

use std::fs;

use segue_formats::route::{
    HostKind, Local, ModelHere, Need, Reach, Route, RouteCheck, RouteKind, Variables, check, describe,
    failed_generation, find_local,
};

use crate::active_view::header;
use crate::scene::Scene;

fn variables(set: &[(&str, &str)]) -> Variables {
    Variables::read(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
}

fn described(home: &Scene, set: &[(&str, &str)]) -> (RouteKind, Option<String>, Reach, Vec<Need>) {
    let route = describe(&home.env(), &variables(set), &home.cwd(), &header());
    assert_eq!(route.model.as_deref(), Some("claude-sonnet-4-5"));
    (route.kind, route.provider, route.reach, route.needs)
}

fn write(path: &std::path::Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn a_route_is_described_by_what_is_set_up() {
    let home = Scene::empty();
    let some = |name: &str| Some(name.to_owned());
    let direct = (RouteKind::Direct, some("anthropic"), Reach::Any, vec![Need::Login, Need::ApiKey]);
    let bedrock = (RouteKind::Cloud, some("bedrock"), Reach::Any, vec![Need::CloudCredentials]);
    let url = "ANTHROPIC_BASE_URL";
    for (set, expected) in [
        (&[][..], direct.clone()),
        (&[(url, "")], direct.clone()),
        (&[(url, "https://api.anthropic.com/")], direct),
        (&[(url, "http://localhost:11434")], (RouteKind::Local, None, Reach::SameDevice, vec![])),
        (&[(url, "http://10.0.0.7")], (RouteKind::Local, None, Reach::SameLan, vec![])),
        (
            &[(url, "http://10.0.0.7"), ("ANTHROPIC_AUTH_TOKEN", "x")],
            (RouteKind::Local, None, Reach::SameLan, vec![Need::ApiKey]),
        ),
        (&[(url, "https://x@gate.example/y")], (RouteKind::Cloud, some("gateway"), Reach::Any, vec![Need::ApiKey])),
        (&[("CLAUDE_CODE_USE_BEDROCK", "1"), (url, "http://localhost")], bedrock.clone()),
        (
            &[("CLAUDE_CODE_USE_BEDROCK", "0"), ("CLAUDE_CODE_USE_VERTEX", "true")],
            (RouteKind::Cloud, some("vertex"), Reach::Any, vec![Need::CloudCredentials]),
        ),
    ] {
        assert_eq!(described(&home, set), expected, "{set:?}");
    }
    write(
        &home.env().home.join(".claude/settings.json"),
        r#"{"env":{"ANTHROPIC_BASE_URL":"http://localhost:1"},"x":[]}"#,
    );
    assert_eq!(described(&home, &[(url, "http://10.0.0.7")]).2, Reach::SameDevice, "settings win");
    write(&home.cwd().join(".claude/settings.local.json"), r#"{"env":{"CLAUDE_CODE_USE_BEDROCK":"1"}}"#);
    assert_eq!(described(&home, &[]), bedrock, "the project's settings win");
    write(&home.cwd().join(".claude/settings.local.json"), "no json");
    assert_eq!(described(&home, &[]).2, Reach::SameDevice);
}

#[test]
fn what_is_here_is_found_out() {
    let home = Scene::empty();
    let local = |set: &[(&str, &str)]| find_local(&home.env(), &variables(set), &home.cwd(), Some("/nowhere".as_ref()));
    let tool = "Claude Code".to_owned();
    let nothing = Local { tool, logged_in: Some(false), ..Local::default() };
    assert_eq!(local(&[]), nothing);
    assert!(local(&[("ANTHROPIC_API_KEY", "x")]).api_key);
    let set = [("ANTHROPIC_BASE_URL", "http://127.0.0.1"), ("CLAUDE_CODE_USE_VERTEX", "1")];
    assert_eq!((local(&set).host, local(&set).platform.as_deref()), (HostKind::Loopback, Some("vertex")));
    for (path, content) in [
        (".claude.json", r#"{"oauthAccount":{"emailAddress":"a"}}"#),
        (".claude/.credentials.json", r#"{"claudeAiOauth":{"accessToken":"x"}}"#),
    ] {
        write(&home.env().home.join(path), content);
        assert_eq!(local(&[]), Local { logged_in: Some(true), ..nothing.clone() }, "{path}");
        fs::remove_file(home.env().home.join(path)).unwrap();
    }
    write(&home.env().home.join(".claude/settings.json"), r#"{"apiKeyHelper":"/bin/key"}"#);
    assert_eq!(local(&[]), Local { api_key: true, ..nothing });
    write(&home.cwd().join("bin/claude"), "");
    let path = home.cwd().join("bin");
    assert!(find_local(&home.env(), &variables(&[]), &home.cwd(), Some(path.as_os_str())).installed);
}

fn direct() -> Route {
    Route {
        kind: RouteKind::Direct,
        provider: Some("anthropic".into()),
        model: Some("claude-sonnet-4-5".into()),
        needs: vec![Need::Login, Need::ApiKey],
        reach: Reach::Any,
        context_tokens: Some(200_000),
    }
}

fn own(reach: Reach) -> Route {
    Route { kind: RouteKind::Local, provider: None, needs: Vec::new(), reach, ..direct() }
}

fn here() -> Local {
    Local { tool: "Claude Code".into(), installed: true, logged_in: Some(true), ..Local::default() }
}

fn with_model(context_tokens: u64) -> Local {
    let name = "claude-sonnet-4-5".to_owned();
    Local { models: Some(vec![ModelHere { name, context_tokens: Some(context_tokens) }]), ..here() }
}

#[test]
fn each_result_has_its_sentence_and_its_word() {
    for (route, local, sentence, word) in [
        (direct(), here(), "Same route ready: claude-sonnet-4-5 via Anthropic", "ready"),
        (direct(), with_model(200_000), "Same route ready: claude-sonnet-4-5 via Anthropic", "ready"),
        (Route { model: None, ..direct() }, here(), "Same route ready: Anthropic", "ready"),
        (
            direct(),
            Local { logged_in: Some(false), ..here() },
            "This device has no Anthropic key. You can read and write; replies need a route.",
            "needs_key",
        ),
        (
            direct(),
            Local { installed: false, ..here() },
            "Claude Code is not installed here. You can read and write; replies need a route.",
            "needs_tool",
        ),
        (own(Reach::SameDevice), here(), "Runs on Studio Mac only.", "local_only"),
        (
            own(Reach::SameLan),
            Local { reachable: Some(false), ..here() },
            "Studio Mac is not reachable now.",
            "unreachable",
        ),
        (
            direct(),
            with_model(8_000),
            "Works; 8k context here vs 200k — older turns will be trimmed.",
            "smaller_context",
        ),
        (Route::unknown(), here(), "Cannot check offline.", "unknown"),
    ] {
        let result = check(&route, "Studio Mac", &local);
        assert_eq!(result.to_string(), sentence);
        assert_eq!(serde_json::to_value(&result).unwrap()["result"], word, "{sentence}");
    }
    assert_eq!(failed_generation(401), "Handoff is fine. The route answered 401.");
}

#[test]
fn no_other_route_is_taken_for_the_same() {
    let of = |route: &Route, local: &Local| check(route, "Studio Mac", local);
    let bedrock = Route { provider: Some("bedrock".into()), needs: vec![Need::CloudCredentials], ..direct() };
    let needs_key = |provider: &str| RouteCheck::NeedsKey { provider: provider.into() };
    assert_eq!(of(&bedrock, &here()), needs_key("Amazon Bedrock"));
    let platform = |name: &str| Local { platform: Some(name.into()), ..here() };
    assert_eq!(of(&bedrock, &platform("vertex")), needs_key("Amazon Bedrock"));
    assert!(matches!(of(&bedrock, &platform("bedrock")), RouteCheck::Ready { .. }));
    assert_eq!(of(&direct(), &platform("bedrock")), needs_key("Anthropic"));
    for host in [HostKind::Loopback, HostKind::Private, HostKind::Other] {
        assert_eq!(of(&direct(), &Local { host, ..here() }), needs_key("Anthropic"), "{host:?}");
    }
    let gateway = Route { provider: Some("gateway".into()), needs: vec![Need::ApiKey], ..direct() };
    assert_eq!(of(&gateway, &Local { api_key: true, ..here() }), needs_key("gateway"));
    assert_eq!(of(&gateway, &Local { host: HostKind::Other, api_key: true, ..here() }), RouteCheck::Unknown);
    assert_eq!(of(&own(Reach::SameLan), &here()), RouteCheck::Unknown, "nobody tried to reach it");
    let home = Local { same_device: true, host: HostKind::Loopback, ..here() };
    assert!(matches!(of(&own(Reach::SameDevice), &home), RouteCheck::Ready { .. }));
    let other_models = Local { models: Some(Vec::new()), ..here() };
    assert_eq!(of(&direct(), &other_models), RouteCheck::Unknown, "the model may be missing here");
    assert_eq!(of(&Route { needs: vec![Need::Unknown], ..direct() }, &here()), RouteCheck::Unknown);
    assert_eq!(of(&direct(), &Local { logged_in: None, ..here() }), RouteCheck::Unknown);
    assert!(matches!(of(&direct(), &Local { logged_in: None, api_key: true, ..here() }), RouteCheck::Ready { .. }));
}
