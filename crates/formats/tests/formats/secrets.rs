//! What never leaves a device (SPEC D3): keys, tokens and settings, wherever Claude Code and other tools keep them.

use std::fs;

use segue_formats::active_view::{ActiveView, ROOM_MAX, TailSink};
use segue_formats::route::{Variables, describe};
use segue_formats::{ClaudeCode, Format as _};

use crate::active_view::scene;
use crate::scene::Scene;

const ID: &str = "60fd7404-3e8f-43d7-a6d0-56fe9768814d";

/// In every planted secret, and nowhere else.
const CANARY: &str = "canary-5f2c";

/// Files of the home that hold secrets or settings; the last two are named like a session's own.
const STORES: [(&str, &str); 16] = [
    (
        ".claude/settings.json",
        r#"{"env":{"ANTHROPIC_API_KEY":"sk-ant-@","ANTHROPIC_BASE_URL":"https://u:@@gate.example/@?k=@"},"apiKeyHelper":"/bin/echo @","model":"@"}"#,
    ),
    (".claude/settings.local.json", r#"{"env":{"ANTHROPIC_AUTH_TOKEN":"@"}}"#),
    (".claude/.credentials.json", r#"{"claudeAiOauth":{"accessToken":"@","refreshToken":"@","expiresAt":1}}"#),
    (
        ".claude.json",
        r#"{"oauthAccount":{"emailAddress":"@","accountUuid":"@"},"primaryApiKey":"@","mcpServers":{"x":{"env":{"TOKEN":"@"}}},"customApiKeyResponses":{"approved":["@"]}}"#,
    ),
    (".claude/history.jsonl", "{\"display\":\"@\"}\n"),
    (".claude/statsig/x", "@"),
    (".claude/shell-snapshots/snapshot.sh", "export KEY=@"),
    (".claude/file-history/60fd7404-3e8f-43d7-a6d0-56fe9768814d/0123@v1", "@"),
    (".codex/auth.json", r#"{"OPENAI_API_KEY":"@","tokens":{"access_token":"@"}}"#),
    (".gemini/oauth_creds.json", r#"{"refresh_token":"@"}"#),
    (".local/share/opencode/auth.json", r#"{"anthropic":{"key":"@"}}"#),
    (".aws/credentials", "[default]\naws_secret_access_key = @\n"),
    (".netrc", "machine github.com login x password @"),
    (".git-credentials", "https://x:@@github.com"),
    (".claude/projects/-home-coder-emms-sdk/.credentials.json", r#"{"token":"@"}"#),
    (".claude/tasks/60fd7404-3e8f-43d7-a6d0-56fe9768814d/.env", "KEY=@"),
];

/// Files of the project.
const PROJECT: [(&str, &str); 5] = [
    (".mcp.json", r#"{"mcpServers":{"x":{"headers":{"Authorization":"Bearer @"}}}}"#),
    (".claude/settings.json", r#"{"env":{"CLAUDE_CODE_USE_BEDROCK":"1","AWS_BEARER_TOKEN_BEDROCK":"@"}}"#),
    (".claude/settings.local.json", r#"{"env":{"ANTHROPIC_API_KEY":"@"}}"#),
    (".env", "KEY=@"),
    (".git/config", "[remote \"origin\"]\n\turl = https://ann:@@github.com/ann/x.git\n"),
];

fn planted() -> Scene {
    let scene = Scene::recorded("2.1.197");
    for (root, files) in [(scene.env().home, &STORES[..]), (scene.cwd(), &PROJECT)] {
        for (path, content) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content.replace('@', CANARY)).unwrap();
        }
    }
    scene
}

fn holds_a_canary(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains(CANARY)
}

#[test]
fn no_secret_of_the_device_is_in_an_active_view_or_a_bundle() {
    let home = planted();
    assert!(home.files().iter().filter(|(_, bytes)| holds_a_canary(bytes)).count() >= STORES.len());
    let found = ClaudeCode.find(&home.env(), ID).unwrap().unwrap();
    let mut tail = TailSink::default();
    let captured = ClaudeCode.capture(&home.env(), &found, Some(&mut tail)).unwrap();
    let variables = Variables::read(|_| Some(CANARY.into()));
    assert!(!holds_a_canary(format!("{variables:?}").as_bytes()));
    let mut scene = scene();
    scene.route = describe(&home.env(), &variables, &home.cwd(), &captured.header);
    let view = ActiveView::new(&captured.header, &tail, scene, ROOM_MAX).unwrap().encode().unwrap();
    assert!(!holds_a_canary(&view), "{}", String::from_utf8_lossy(&view));
    assert_eq!(captured.files.len(), 5, "the transcript and what belongs to it");
    for file in &captured.files {
        assert!(!holds_a_canary(&fs::read(&file.source).unwrap()), "{}", file.source.display());
    }
    let beside = format!("{:?} {:?} {:?}", captured.header, captured.summary, captured.checkpoint);
    assert!(!holds_a_canary(beside.as_bytes()));
}
