//! The ground the others stand on: the real Claude Code, talking to the stub, and resuming what it said before.

use std::fs;
use std::process::Output;

use anyhow::{Context, Result, ensure};
use segue_e2e::conversation::{self, Turn};
use segue_e2e::{Claude, ModelStub};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A home and a project of nobody, and the model that answers there.
struct Desk {
    stub: ModelStub,
    home: TempDir,
    project: TempDir,
}

impl Desk {
    fn new() -> Result<Self> {
        Ok(Self { stub: ModelStub::start()?, home: tempfile::tempdir()?, project: tempfile::tempdir()? })
    }

    /// One prompt, and what the tool printed about it.
    fn ask(&self, prompt: &str, more: &[&str]) -> Result<Value> {
        let ask =
            ["-p", prompt, "--output-format", "json", "--model", "claude-sonnet-4-5", "--allowedTools", "Bash,Read"];
        let args: Vec<&str> = ask.iter().chain(more).copied().collect();
        let output = Claude::from_env().run(self.home.path(), self.project.path(), self.stub.url(), &args)?;
        printed(&output)
    }

    /// The conversation in the last request.
    fn conversation(&self) -> Result<Vec<Turn>> {
        Ok(conversation::of(self.stub.requests().last().context("the model was asked nothing")?))
    }
}

fn printed(output: &Output) -> Result<Value> {
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{}: {said}{}", output.status, String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).with_context(|| said.into_owned())
}

fn session(printed: &Value) -> Result<&str> {
    printed["session_id"].as_str().context("no session id")
}

#[test]
fn a_resumed_session_sends_the_first_turn_again_in_order() -> Result<()> {
    let desk = Desk::new()?;
    let command = "echo from-the-tool > made.txt && cat made.txt";
    let prompt = format!("[[think]] run this [[tool:Bash:{command}]]");
    let first = desk.ask(&prompt, &[])?;
    assert_eq!(fs::read_to_string(desk.project.path().join("made.txt"))?, "from-the-tool\n");

    desk.stub.clear();
    desk.ask("and now?", &["--resume", session(&first)?])?;
    let turns = desk.conversation()?;
    let Some(Turn::ToolCall { id, .. }) = turns.get(2) else { panic!("no tool call: {turns:?}") };
    let input = json!({ "command": command, "description": "stub command" });
    let expected = [
        Turn::User(prompt),
        Turn::Assistant("I will call Bash".to_owned()),
        Turn::ToolCall { id: id.clone(), name: "Bash".to_owned(), input },
        Turn::ToolResult { id: id.clone(), text: "from-the-tool".to_owned(), is_error: false, images: vec![] },
        Turn::Assistant("STUB-AFTER-TOOL n=3 :: ".to_owned()),
        Turn::User("and now?".to_owned()),
    ];
    assert_eq!(turns, expected);
    Ok(())
}

#[test]
fn failures_and_images_are_seen_in_tool_results() -> Result<()> {
    let desk = Desk::new()?;
    let first = desk.ask("[[tool:Bash:echo broken; exit 3]]", &[])?;
    let turns = desk.conversation()?;
    let Some(Turn::ToolResult { text, is_error: true, .. }) = turns.last() else { panic!("no failure: {turns:?}") };
    assert!(text.contains("broken"), "{text}");

    let image = desk.project.path().join("dot.png");
    fs::write(&image, DOT)?;
    let read = json!({ "file_path": image });
    desk.ask(&format!("[[tool:Read:{read}]]"), &["--resume", session(&first)?])?;
    let turns = desk.conversation()?;
    let Some(Turn::ToolResult { images, is_error: false, .. }) = turns.last() else { panic!("no image: {turns:?}") };
    assert_eq!(images.len(), 1, "{turns:?}");
    Ok(())
}

/// The smallest PNG: one pixel.
pub(crate) const DOT: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00, 0x00, 0x1f, 0x15, 0xc4, 0x89, 0x00, 0x00, 0x00, 0x0d, 0x49,
    0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0xf8, 0xcf, 0xc0, 0xf0, 0x1f, 0x00, 0x05, 0x00, 0x01, 0xff, 0x89, 0x99, 0x3d,
    0x1d, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];
