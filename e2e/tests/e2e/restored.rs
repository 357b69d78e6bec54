//! A server that was restored from a backup knows less than its clients: they bring it up to date.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Result, ensure};
use segue_e2e::{
    fault::Random,
    native::Native,
    rig::Rig,
    server::program,
    story::{BEN, id},
};
use tempfile::TempDir;

/// `segue-server --data DATA …`, which must succeed.
fn operate(data: &Path, arguments: &[&Path]) -> Result<()> {
    let output =
        Command::new(program("segue-server")?).arg("--data").arg(data).args(arguments).stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[test]
fn what_was_pushed_since_the_backup_is_pushed_again() -> Result<()> {
    let root = TempDir::new()?;
    let (mut rig, mut random) = (Rig::begin(root.path())?, Random::new(11));
    let (data, backup, new) = (root.path().join("server"), root.path().join("backup"), root.path().join("new"));
    let mut grown = Native::begin(&rig.ann, &mut random, 400_000)?;
    rig.ann.json(&["push", grown.id()])?;
    operate(&data, &["backup".as_ref(), &backup])?;
    grown.grow(&rig.ann, &mut random, 400_000)?;
    let later = Native::begin(&rig.ann, &mut random, 400_000)?;
    for session in [&grown, &later] {
        rig.ann.json(&["push", session.id()])?;
    }

    rig.stop();
    operate(&new, &["restore".as_ref(), &backup])?;
    fs::remove_dir_all(&data)?;
    fs::rename(&new, &data)?;
    rig.restart()?;

    for session in [&grown, &later] {
        let pushed = rig.ann.json(&["push", session.id()])?;
        assert_eq!(pushed["unchanged"], false, "{pushed}");
        assert_eq!(rig.ann.json(&["push", session.id()])?["unchanged"], true);
        let handoff = id(&rig.ann.json(&["handoff", session.id(), "--to", BEN])?, "handoff_id")?;
        let pulled = id(&rig.ben.json(&["pull-handoff", &handoff])?, "session_id")?;
        let content = rig.ben.segue_home().join("sessions").join(pulled).join("content/native/session.jsonl");
        assert!(fs::read(content)? == session.transcript()?, "it arrived changed");
    }
    operate(&data, &["check".as_ref()])
}
