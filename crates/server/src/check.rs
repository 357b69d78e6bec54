//! `segue-server check`: whether database, storage and events agree. It reads one moment of the database, and tolerates what
//! a running server does meanwhile: packs never change, and are collected only after a grace time.

mod projects;

use std::{collections::HashSet, time::SystemTime};

use segue_domain::{BundleId, HandoffId, PackId};
use segue_signed::{SignedEnvelope, SignedRoster, keycard::key_fingerprint, sha256};
use serde::Serialize;

use crate::{
    packs::Packs,
    store::{
        Db, Tx,
        inspect::{self, Bundle, Counted},
    },
};

/// An object that no row names is a finding after this, in seconds: an upload gets its row within moments.
const ORPHAN_SECONDS: u64 = 60 * 60;

/// What to look at.
#[derive(Debug, Clone, Copy)]
pub struct Depth {
    /// Read every pack and compare its hash.
    pub read_data: bool,
    /// Delete objects that no row names.
    pub repair: bool,
    /// The machine's time, which objects are dated by.
    pub now: SystemTime,
}

/// Something that does not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about: `pack`, `object`, `bundle`, `session`, `handoff`, `team`, `project` or `database`.
    pub about: &'static str,
    /// Which.
    pub id: String,
    /// What does not agree.
    pub what: String,
    /// What to do.
    pub advice: &'static str,
}

const RESTORE: &str = "Restore the newest backup that is clean, or delete the session in question.";
const RESTORE_TEAM: &str = "Restore the newest backup that is clean, or let its members begin another team.";
const LOST: &str = "Copy the pack from a backup; without one, its sessions cannot be opened any more.";

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, about: &'static str, id: &str, what: impl Into<String>, advice: &'static str) {
        self.0.push(Finding { about, id: id.to_string(), what: what.into(), advice });
    }

    fn expect(&mut self, holds: bool, about: &'static str, id: &str, what: &str) {
        if !holds {
            self.add(about, id, what, RESTORE);
        }
    }
}

/// What a check came to.
#[derive(Debug, Default)]
pub struct Checked {
    /// What does not agree; nothing of it on a clean server.
    pub findings: Vec<Finding>,
    /// Names of the objects that were deleted because no row named them.
    pub deleted: Vec<String>,
}

/// Checks everything.
pub async fn check(db: &Db, packs: &Packs, depth: Depth) -> anyhow::Result<Checked> {
    let mut findings = Findings(Vec::new());
    let mut tx = db.snapshot().await?;
    for line in inspect::integrity(&mut tx).await? {
        findings.add("database", "", line, "Stop the server and restore the newest backup.");
    }
    let rows = inspect::packs(&mut tx).await?;
    check_bundles(&mut tx, &mut findings).await?;
    check_sessions(&mut tx, &mut findings).await?;
    check_handoffs(&mut tx, &mut findings).await?;
    check_teams(&mut tx, &mut findings).await?;
    projects::check(&mut tx, &mut findings).await?;
    drop(tx);
    let packs = packs.clone();
    let found = tokio::task::spawn_blocking(move || {
        check_packs(&packs, &rows, depth, &mut findings)?;
        let deleted = check_objects(&packs, &rows, depth, &mut findings)?;
        std::io::Result::Ok(Checked { findings: findings.0, deleted })
    });
    Ok(found.await??)
}

fn check_packs(packs: &Packs, rows: &[Counted], depth: Depth, findings: &mut Findings) -> std::io::Result<()> {
    for row in rows {
        let name = row.name();
        findings.expect(row.refs == row.listed, "pack", &name, "its count of references is not that of its bundles");
        findings.expect(
            row.state == "live" || row.listed == 0,
            "pack",
            &name,
            "it is being deleted although a bundle lists it",
        );
        let Some(pack) = row.pack() else {
            findings.add("pack", &name, "its hash or length is none", RESTORE);
            continue;
        };
        match packs.stored_len(&pack)? {
            // Its bytes go first, and then its row stays so that its id is not used again.
            None if row.state != "live" => {}
            None => findings.add("pack", &name, "its bytes are missing", LOST),
            Some(_) if row.state == "gone" => {}
            Some(len) if len != pack.len => {
                findings.add("pack", &name, format!("{len} bytes are stored, not {}", pack.len), LOST);
            }
            Some(_) if depth.read_data && row.state == "live" && packs.stored_hash(&pack)? != pack.sha256 => {
                findings.add("pack", &name, "other bytes are stored", LOST);
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Names the objects that it deleted.
fn check_objects(
    packs: &Packs,
    rows: &[Counted],
    depth: Depth,
    findings: &mut Findings,
) -> std::io::Result<Vec<String>> {
    let mut deleted = Vec::new();
    let named: HashSet<_> = rows
        .iter()
        .filter(|row| row.state != "gone")
        .filter_map(Counted::pack)
        .map(|pack| Packs::object_name(&pack))
        .collect();
    for object in packs.objects()? {
        let age = depth.now.duration_since(object.modified).unwrap_or_default();
        if named.contains(&object.name) || age.as_secs() <= ORPHAN_SECONDS {
            continue;
        }
        if depth.repair {
            Packs::delete_object(&object)?;
            deleted.push(object.name);
            continue;
        }
        findings.add("object", &object.name, "no row names it", "segue-server check --repair deletes it.");
    }
    Ok(deleted)
}

async fn check_bundles(tx: &mut Tx<'_>, findings: &mut Findings) -> Result<(), sqlx::Error> {
    for id in inspect::bundle_ids(tx).await? {
        let bundle = inspect::bundle(tx, &id).await?;
        let Ok(signed) = SignedEnvelope::parse(&bundle.envelope) else {
            findings.add("bundle", &id, "its envelope cannot be read", RESTORE);
            continue;
        };
        check_envelope(&bundle, &signed, findings);
        let listed = inspect::listed(tx, &id).await?;
        let Some(manifest) = &bundle.manifest else {
            findings.expect(bundle.kind == "handoff", "bundle", &id, "its manifest is gone");
            let empty = listed.is_empty() && bundle.wraps == 0 && bundle.preview.is_none() && bundle.holder.is_none();
            findings.expect(empty, "bundle", &id, "it was released but still holds something");
            continue;
        };
        let envelope = &signed.envelope;
        findings.expect(sha256(manifest) == envelope.manifest_hash, "bundle", &id, "its manifest is another");
        let preview = bundle.preview.as_deref().map(sha256);
        findings.expect(preview == envelope.preview_hash, "bundle", &id, "its preview is another");
        let same = listed.len() == envelope.packs.len()
            && listed.iter().zip(&envelope.packs).all(|(listed, entry)| {
                listed.pack_id == PackId::from_bytes(entry.id).to_string()
                    && listed.sha256 == entry.sha256
                    && u64::try_from(listed.len) == Ok(entry.len)
            });
        findings.expect(same, "bundle", &id, "its packs are not those of its envelope");
    }
    Ok(())
}

fn check_envelope(bundle: &Bundle, signed: &SignedEnvelope, findings: &mut Findings) {
    let header = &signed.envelope.header;
    let fits = (bundle.id.as_str(), bundle.kind.as_str(), bundle.owner.as_str(), bundle.session_id.as_str())
        == (
            BundleId::from_bytes(header.bundle_id).to_string().as_str(),
            header.kind.as_str(),
            header.sender_id.as_str(),
            header.session_id.as_str(),
        )
        && u64::try_from(bundle.seq) == Ok(header.seq);
    findings.expect(fits, "bundle", &bundle.id, "its envelope says another id, kind, sender, session or seq");
}

async fn check_sessions(tx: &mut Tx<'_>, findings: &mut Findings) -> Result<(), sqlx::Error> {
    for session in inspect::sessions(tx).await? {
        let id = format!("{} of {}", session.id, session.owner);
        let Some(envelope) = &session.envelope else {
            findings.add("session", &id, "its bundle is missing", RESTORE);
            continue;
        };
        findings.expect(
            session.holder.as_ref() == Some(&session.owner),
            "session",
            &id,
            "its owner does not hold its bundle",
        );
        let seq = SignedEnvelope::parse(envelope).ok().map(|signed| signed.envelope.header.seq);
        let head = session.head_hash == sha256(envelope) && seq == u64::try_from(session.seq).ok();
        findings.expect(head, "session", &id, "its seq or head is not that of its bundle");
    }
    Ok(())
}

async fn check_handoffs(tx: &mut Tx<'_>, findings: &mut Findings) -> Result<(), sqlx::Error> {
    for handoff in inspect::handoffs(tx).await? {
        let events = inspect::events(tx, &handoff.id).await?;
        let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
        let count = |kind: &str| kinds.iter().filter(|other| **other == kind).count();
        let finals = ["claimed", "revoked", "declined", "expired"];
        let ends = finals.iter().all(|kind| count(kind) == usize::from(handoff.state == *kind));
        let begins = kinds.first() == Some(&"created") && count("created") == 1;
        let viewed = count("viewed") == usize::from(handoff.viewed_at.is_some());
        findings.expect(begins && ends && viewed, "handoff", &handoff.id, "its events do not lead to its state");
        let written = i64::try_from(count("commented")) == Ok(handoff.comments);
        let written = written && handoff.comments == handoff.comments_in_log;
        findings.expect(written, "handoff", &handoff.id, "its comments are not those of its events");
        findings.expect(handoff.recipients == 1, "handoff", &handoff.id, "it goes to nobody, or to several");
        let broken = handoff.id.parse::<HandoffId>().map_or(Some(0), |id| inspect::broken_link(id, &events));
        if let Some(number) = broken {
            findings.add("handoff", &handoff.id, format!("its log was changed at event {number}"), RESTORE);
        }
        let envelope = handoff.envelope.as_deref().and_then(|bytes| SignedEnvelope::parse(bytes).ok());
        let fits = envelope.is_some_and(|signed| {
            handoff.claim_check == signed.envelope.claim_check && signed.envelope.header.handoff_id == handoff.id
        });
        findings.expect(fits, "handoff", &handoff.id, "its envelope is of another handoff");
        // A claimed one is released when its claimer deletes the session.
        let content = match handoff.state.as_str() {
            "pending" => !handoff.released,
            "claimed" => true,
            _ => handoff.released,
        };
        findings.expect(
            content,
            "handoff",
            &handoff.id,
            "its sealed content is there although it ended, or gone before",
        );
    }
    Ok(())
}

async fn check_teams(tx: &mut Tx<'_>, findings: &mut Findings) -> Result<(), sqlx::Error> {
    for team in inspect::teams(tx).await? {
        let signed = team.roster.as_deref().and_then(|bytes| SignedRoster::parse(bytes).ok());
        let Some(SignedRoster { roster, .. }) = signed else {
            findings.add("team", &team.id, "its newest roster is missing or cannot be read", RESTORE_TEAM);
            continue;
        };
        let mut listed = inspect::team_members(tx, &team.id, team.epoch).await?;
        listed.sort();
        let signed = roster.members.iter().map(|member| (member.user_id.as_str(), member.role.as_str(), true));
        let same = listed.iter().map(|(user, role, key)| (user.as_str(), role.as_str(), *key)).eq(signed)
            && team.epoch == i64::from(roster.epoch)
            && team.key_fp.as_deref() == Some(&key_fingerprint(&roster.team_key));
        if !same {
            findings.add("team", &team.id, "its members or keys are not those of its newest roster", RESTORE_TEAM);
        }
    }
    Ok(())
}
