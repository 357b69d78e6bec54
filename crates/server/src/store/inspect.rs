//! What `segue-server check` reads: rows as they are, so that a damaged one is a finding and not a failure.

use segue_domain::{HandoffId, Timestamp};
use sqlx::FromRow;

use super::{
    Tx,
    columns::Millis,
    events::NewEvent,
    on,
    packs::{Pack, Row},
};

/// A pack with its references.
#[derive(Debug, FromRow)]
pub struct Counted {
    #[sqlx(flatten)]
    row: Row,
    pub(crate) state: String,
    pub(crate) refs: i64,
    pub(crate) listed: i64,
}

impl Counted {
    /// The pack; none when its columns are not those of one.
    pub(crate) fn pack(&self) -> Option<Pack> {
        Pack::try_from(self.row.clone()).ok()
    }

    /// Owner and id, as they stand.
    pub(crate) fn name(&self) -> String {
        format!("{} of {}", self.row.id.0, self.row.owner.0)
    }
}

/// A bundle.
#[derive(Debug, FromRow)]
pub struct Bundle {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) owner: String,
    pub(crate) holder: Option<String>,
    pub(crate) session_id: String,
    pub(crate) seq: i64,
    pub(crate) envelope: Vec<u8>,
    pub(crate) manifest: Option<Vec<u8>>,
    pub(crate) preview: Option<Vec<u8>>,
    pub(crate) wraps: i64,
}

/// A pack that a bundle lists.
#[derive(Debug, FromRow)]
pub struct Listed {
    pub(crate) pack_id: String,
    pub(crate) sha256: Vec<u8>,
    pub(crate) len: i64,
}

/// A session with its bundle's holder.
#[derive(Debug, FromRow)]
pub struct Session {
    pub(crate) owner: String,
    pub(crate) id: String,
    pub(crate) seq: i64,
    pub(crate) head_hash: Vec<u8>,
    pub(crate) holder: Option<String>,
    pub(crate) envelope: Option<Vec<u8>>,
}

/// A handoff with what it must agree with.
#[derive(Debug, FromRow)]
pub struct Handoff {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) viewed_at: Option<i64>,
    pub(crate) claim_check: Vec<u8>,
    pub(crate) envelope: Option<Vec<u8>>,
    pub(crate) released: bool,
    /// Columns that say to whom it goes; one does.
    pub(crate) recipients: i64,
    /// Comments, and those of them whose event is that of a comment.
    pub(crate) comments: i64,
    pub(crate) comments_in_log: i64,
}

/// A team with its newest roster.
#[derive(Debug, FromRow)]
pub struct Team {
    pub(crate) id: String,
    pub(crate) epoch: i64,
    pub(crate) key_fp: Option<Vec<u8>>,
    pub(crate) roster: Option<Vec<u8>>,
}

/// A project.
#[derive(Debug, FromRow)]
pub struct Project {
    pub(crate) id: String,
    pub(crate) kb_number: i64,
    pub(crate) kb_highest: i64,
    pub(crate) admins: i64,
}

/// A handoff that names a project, or something in one.
#[derive(Debug, FromRow)]
pub struct Referring {
    pub(crate) id: String,
    pub(crate) project_id: Option<String>,
    pub(crate) provenance: Option<String>,
}

/// An event as it stands.
#[derive(Debug, FromRow)]
pub struct Event {
    pub(crate) seq: i64,
    pub(crate) kind: String,
    actor: String,
    actor_type: String,
    at: Millis,
    payload: String,
    previous: Option<Vec<u8>>,
    hash: Vec<u8>,
}

/// Every pack.
pub async fn packs(tx: &mut Tx<'_>) -> Result<Vec<Counted>, sqlx::Error> {
    let sql = "SELECT p.owner, p.id, p.sha256, p.len, p.state, p.refs, (SELECT COUNT(*) FROM bundle_packs l \
               WHERE l.pack_owner = p.owner AND l.pack_id = p.id) AS listed FROM packs p ORDER BY p.owner, p.id";
    on!(tx, |c| sqlx::query_as(sql).fetch_all(c).await)
}

/// Every bundle's id: bundles are large, and looked at one by one.
pub async fn bundle_ids(tx: &mut Tx<'_>) -> Result<Vec<String>, sqlx::Error> {
    on!(tx, |c| sqlx::query_scalar("SELECT id FROM bundles ORDER BY id").fetch_all(c).await)
}

/// One bundle.
pub async fn bundle(tx: &mut Tx<'_>, id: &str) -> Result<Bundle, sqlx::Error> {
    let sql = "SELECT id, kind, owner, holder, session_id, seq, envelope, manifest, preview, \
               (SELECT COUNT(*) FROM wraps w WHERE w.bundle_id = b.id) AS wraps FROM bundles b WHERE id = $1";
    on!(tx, |c| sqlx::query_as(sql).bind(id).fetch_one(c).await)
}

/// The packs that a bundle lists, in their order.
pub async fn listed(tx: &mut Tx<'_>, bundle: &str) -> Result<Vec<Listed>, sqlx::Error> {
    let sql = "SELECT l.pack_id, p.sha256, p.len FROM bundle_packs l JOIN packs p ON p.owner = l.pack_owner \
               AND p.id = l.pack_id WHERE l.bundle_id = $1 ORDER BY l.position";
    on!(tx, |c| sqlx::query_as(sql).bind(bundle).fetch_all(c).await)
}

/// Every session.
pub async fn sessions(tx: &mut Tx<'_>) -> Result<Vec<Session>, sqlx::Error> {
    let sql = "SELECT s.owner, s.id, s.seq, s.head_hash, b.holder, b.envelope FROM sessions s \
               LEFT JOIN bundles b ON b.id = s.bundle_id ORDER BY s.owner, s.id";
    on!(tx, |c| sqlx::query_as(sql).fetch_all(c).await)
}

/// Every handoff.
pub async fn handoffs(tx: &mut Tx<'_>) -> Result<Vec<Handoff>, sqlx::Error> {
    let sql = "SELECT h.id, h.state, h.viewed_at, h.claim_check, b.envelope, (b.manifest IS NULL) AS released, \
               CAST(CASE WHEN h.to_user_id IS NULL THEN 0 ELSE 1 END + CASE WHEN h.to_team_id IS NULL THEN 0 ELSE 1 END \
               + CASE WHEN h.to_email IS NULL THEN 0 ELSE 1 END AS BIGINT) AS recipients, \
               (SELECT COUNT(*) FROM comments c WHERE c.handoff_id = h.id) AS comments, \
               (SELECT COUNT(*) FROM comments c JOIN events e ON e.handoff_id = c.handoff_id AND e.seq = c.seq \
               WHERE c.handoff_id = h.id AND e.kind = 'commented') AS comments_in_log \
               FROM handoffs h LEFT JOIN bundles b ON b.id = h.bundle_id ORDER BY h.id";
    on!(tx, |c| sqlx::query_as(sql).fetch_all(c).await)
}

/// Every team.
pub async fn teams(tx: &mut Tx<'_>) -> Result<Vec<Team>, sqlx::Error> {
    let sql = "SELECT t.id, t.epoch, t.key_fp, r.roster FROM teams t \
               LEFT JOIN team_rosters r ON r.team_id = t.id AND r.version = t.version ORDER BY t.id";
    on!(tx, |c| sqlx::query_as(sql).fetch_all(c).await)
}

/// A team's members with their roles, and whether they were given the team key of an epoch.
pub async fn team_members(tx: &mut Tx<'_>, id: &str, epoch: i64) -> Result<Vec<(String, String, bool)>, sqlx::Error> {
    let sql = "SELECT m.user_id, m.role, EXISTS (SELECT 1 FROM team_keys k WHERE k.team_id = m.team_id \
               AND k.user_id = m.user_id AND k.epoch = $2) FROM team_members m WHERE m.team_id = $1";
    on!(tx, |c| sqlx::query_as(sql).bind(id).bind(epoch).fetch_all(c).await)
}

/// Every project.
pub async fn projects(tx: &mut Tx<'_>) -> Result<Vec<Project>, sqlx::Error> {
    let sql = "SELECT p.id, p.kb_number, COALESCE((SELECT MAX(CAST(r.ref_id AS BIGINT)) FROM records r \
               WHERE r.project_id = p.id AND r.kind = 'kb_entry'), 0) AS kb_highest, (SELECT COUNT(*) \
               FROM project_members m WHERE m.project_id = p.id AND m.role = 'admin') AS admins FROM projects p ORDER BY p.id";
    on!(tx, |c| sqlx::query_as(sql).fetch_all(c).await)
}

/// Records of projects that are not there, by project and name.
pub async fn strayed_records(tx: &mut Tx<'_>) -> Result<Vec<(String, String)>, sqlx::Error> {
    let sql = "SELECT r.project_id, r.kind || ':' || r.ref_id FROM records r \
               LEFT JOIN projects p ON p.id = r.project_id WHERE p.id IS NULL ORDER BY r.project_id, r.kind, r.ref_id";
    on!(tx, |c| sqlx::query_as(sql).fetch_all(c).await)
}

/// Sessions in projects that are not there or that their owners are not in, by owner and id.
pub async fn strayed_sessions(tx: &mut Tx<'_>) -> Result<Vec<(String, String)>, sqlx::Error> {
    let sql = "SELECT s.owner, s.id FROM sessions s LEFT JOIN project_members m ON m.project_id = s.project_id \
               AND m.user_id = s.owner WHERE s.project_id IS NOT NULL AND m.user_id IS NULL ORDER BY s.owner, s.id";
    on!(tx, |c| sqlx::query_as(sql).fetch_all(c).await)
}

/// Handoffs that refer to something.
pub async fn referring_handoffs(tx: &mut Tx<'_>) -> Result<Vec<Referring>, sqlx::Error> {
    let sql = "SELECT id, project_id, provenance FROM handoffs WHERE project_id IS NOT NULL OR provenance IS NOT NULL ORDER BY id";
    on!(tx, |c| sqlx::query_as(sql).fetch_all(c).await)
}

/// A handoff's events, in their order.
pub async fn events(tx: &mut Tx<'_>, handoff: &str) -> Result<Vec<Event>, sqlx::Error> {
    let sql = "SELECT seq, kind, actor, actor_type, at, payload, previous, hash FROM events WHERE handoff_id = $1 ORDER BY seq";
    on!(tx, |c| sqlx::query_as(sql).bind(handoff).fetch_all(c).await)
}

/// Where a handoff's hash chain does not hold: the number of the first such event.
pub(crate) fn broken_link(handoff: HandoffId, events: &[Event]) -> Option<i64> {
    let mut previous: Option<&[u8]> = None;
    for (number, event) in (1..).zip(events) {
        let Event { kind, actor, actor_type, payload, .. } = event;
        let hash = NewEvent { handoff, kind, actor, actor_type, payload }.hash(number, event_time(event), previous);
        if event.seq != number || event.previous.as_deref() != previous || event.hash != hash {
            return Some(event.seq);
        }
        previous = Some(&event.hash);
    }
    None
}

fn event_time(event: &Event) -> Timestamp {
    event.at.into()
}

/// What SQLite finds wrong with its own file; PostgreSQL keeps its pages by itself.
pub async fn integrity(tx: &mut Tx<'_>) -> Result<Vec<String>, sqlx::Error> {
    let Tx::Sqlite(transaction) = tx else { return Ok(Vec::new()) };
    let mut said: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut **transaction).await?;
    said.retain(|line| line != "ok");
    let orphans: Vec<String> =
        sqlx::query_scalar("SELECT \"table\" || ' refers to a missing ' || parent FROM pragma_foreign_key_check")
            .fetch_all(&mut **transaction)
            .await?;
    Ok(said.into_iter().chain(orphans).collect())
}
