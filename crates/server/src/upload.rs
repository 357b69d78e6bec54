//! Uploading a pack: bytes first, made durable, then the row; never the other way round (SPEC S2).

use axum::body::BodyDataStream;
use data_encoding::HEXLOWER;
use futures::stream;
use segue_api::{Code, bundles};
use segue_domain::PackId;

use crate::{
    admission::Admitted,
    app::App,
    failure::Failure,
    packs::{Upload, UploadError},
    principal::Principal,
    store::{
        Tx,
        packs::{self, Pack},
        users,
    },
};

/// What an upload says of itself before its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announced {
    /// Its id.
    pub(crate) id: PackId,
    /// SHA-256 of the body.
    pub sha256: [u8; 32],
    /// Bytes of the body.
    pub(crate) len: u64,
}

/// What became of an upload.
#[derive(Debug)]
pub(crate) enum Stored {
    /// It is new.
    New(bundles::Pack),
    /// The same bytes were here under the same id.
    Again(bundles::Pack),
}

/// Stores a pack that no bundle lists yet.
///
/// Ids are kept per owner, so an id that another person uses is as free as one that nobody uses.
pub(crate) async fn store(
    app: &App,
    principal: &Principal,
    announced: &Announced,
    body: BodyDataStream,
) -> Result<Stored, Failure> {
    let upload = app.packs.receive(app.draw()?, body, announced.len, app.settings.body_idle).await?;
    let pack = Pack { owner: principal.user, id: announced.id, sha256: upload.sha256, len: upload.len };
    if upload.len != announced.len || upload.sha256 != announced.sha256 {
        return Err(garbled());
    }
    let stored = keep(app, principal, upload, &pack).await?;
    Ok(if stored { Stored::New(answer(&pack)) } else { Stored::Again(answer(&pack)) })
}

/// Stores the packs that came inside a parcel, each exactly as an uploaded one.
pub(crate) async fn inline(app: &App, principal: &Principal, admitted: &Admitted) -> Result<(), Failure> {
    for (pack, bytes) in &admitted.packs {
        if !known(app, principal, pack).await? {
            let body = stream::iter([Ok(bytes.clone())]);
            let upload = app.packs.receive(app.draw()?, body, pack.len, app.settings.body_idle).await?;
            keep(app, principal, upload, pack).await?;
        }
    }
    Ok(())
}

/// Makes an upload last, then writes its row. False when the same pack was here already.
async fn keep(app: &App, principal: &Principal, upload: Upload, pack: &Pack) -> Result<bool, Failure> {
    if known(app, principal, pack).await? {
        return Ok(false);
    }
    app.packs.keep(upload, pack).await.map_err(anyhow::Error::from)?;
    let mut tx = app.db.begin().await?;
    users::lock(&mut tx, principal.user).await?;
    if !packs::insert(&mut tx, pack, app.clock.now()).await? {
        check_same(&mut tx, pack).await?;
        return Ok(false);
    }
    check_room(app, &mut tx, principal, 0).await?;
    tx.commit().await?;
    Ok(true)
}

/// Whether the same pack is here already; refuses one that has no room, before it is kept.
async fn known(app: &App, principal: &Principal, pack: &Pack) -> Result<bool, Failure> {
    let mut tx = app.db.read().await?;
    if packs::is_taken(&mut tx, pack.owner, pack.id).await? {
        return check_same(&mut tx, pack).await.map(|()| true);
    }
    let more = i64::try_from(pack.len).unwrap_or(i64::MAX);
    check_room(app, &mut tx, principal, more).await.map(|()| false)
}

async fn check_same(tx: &mut Tx<'_>, pack: &Pack) -> Result<(), Failure> {
    if packs::find(tx, pack.owner, pack.id).await?.as_ref() == Some(pack) {
        return Ok(());
    }
    Err(Failure::new(Code::Conflict, "This pack id has other content.").or("Draw a new id for each pack."))
}

/// Refuses when a person keeps more than their plan allows, `more` bytes included.
pub(crate) async fn check_room(app: &App, tx: &mut Tx<'_>, principal: &Principal, more: i64) -> Result<(), Failure> {
    let plan = app.plan(principal);
    let used = users::storage_used(tx, principal.user).await?;
    let max = i64::try_from(plan.storage_bytes_max()).unwrap_or(i64::MAX);
    if used.saturating_add(more) <= max {
        return Ok(());
    }
    Err(Failure::new(Code::StorageFull, format!("The plan {plan} keeps {max} bytes, and {used} are used."))
        .or("Delete sessions that you no longer need: segue delete."))
}

fn garbled() -> Failure {
    Failure::invalid("The body is not what its length and hash announce.").or("Send it again.")
}

fn answer(pack: &Pack) -> bundles::Pack {
    bundles::Pack {
        pack_id: pack.id.to_string(),
        len: i64::try_from(pack.len).unwrap_or(i64::MAX),
        sha256: HEXLOWER.encode(&pack.sha256),
    }
}

impl From<UploadError> for Failure {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Cut(_) | UploadError::TooLong => garbled(),
            UploadError::Stalled => Self::later(Code::Unavailable, "No bytes came for too long.", 1),
            UploadError::Storage(error) => Self::Internal(anyhow::Error::new(error).context("the storage refused")),
        }
    }
}
