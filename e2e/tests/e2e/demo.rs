//! The demo's story ends with Ben's restored session, and with the real tool continuing it.

use std::process::Command;

use anyhow::Result;

#[test]
fn the_demo_tells_its_story_to_the_end() -> Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_segue-demo")).arg("--once").output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let expected = [
        "claude --resume 60fd7404-3e8f",
        "its request held 48 turns",
        "the same chat.",
        "this machine's again",
        "Ben's restored session: ",
        "Next: ",
    ];
    for said in expected {
        assert!(told.contains(said), "{said} is not in: {told}");
    }
    Ok(())
}
