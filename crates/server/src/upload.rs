//! Uploading a pack: bytes first, made durable, then the row; never the other way round (SPEC S2).

use axum::body::BodyDataStream;
use data_encoding::HEXLOWER;
use segue_api::{Code, bundles};
use segue_domain::{
    PackId,
    limits::{PACK_BYTES_MAX, PARTIAL_BYTES_MAX, PARTIAL_PACKS_MAX},
};

use crate::{
    admission::Admitted,
    app::App,
    failure::Failure,
    packs::{Bounds, Hold, Stopped, Upload, UploadError},
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
    /// Where it goes on; without it, it begins anew.
    pub(crate) offset: Option<u64>,
    /// SHA-256 of the whole pack.
    pub(crate) sha256: Option<[u8; 32]>,
    /// Bytes of the whole pack.
    pub(crate) len: Option<u64>,
}

/// What became of an upload.
#[derive(Debug)]
pub(crate) enum Stored {
    /// It is new.
    New(bundles::Pack),
    /// The same bytes were here under the same id.
    Again(bundles::Pack),
}

/// How far an upload is.
#[derive(Debug)]
pub(crate) enum Progress {
    /// So many bytes came.
    Partial(u64),
    /// It is a pack.
    Complete(Pack),
}

/// Stores a pack that no bundle lists yet, or what came of it.
///
/// Ids are kept per owner, so an id that another person uses is as free as one that nobody uses.
pub(crate) async fn store(
    app: &App,
    principal: &Principal,
    announced: &Announced,
    body: BodyDataStream,
) -> Result<Stored, Failure> {
    let mut hold = app.packs.hold(principal.user, announced.id).await.ok_or_else(taken_over)?;
    match announced.offset {
        None => hold = hold.discard().await.map_err(storage)?,
        Some(offset) => check_offset(app, principal, &hold, announced.id, offset).await?,
    }
    let bounds = Bounds {
        len_max: announced.len.unwrap_or(PACK_BYTES_MAX),
        room: room(app, principal).await?.saturating_add(hold.offset()),
        idle: app.settings.body_idle,
        now: app.clock.now(),
    };
    if announced.len.is_some_and(|len| len > bounds.room) {
        return Err(full(app, principal));
    }
    let upload = app.packs.receive(hold, body, bounds).await.map_err(|stopped| refuse(app, principal, stopped))?;
    let pack = Pack { owner: principal.user, id: announced.id, sha256: upload.sha256, len: upload.len };
    let differs = announced.len.is_some_and(|len| len != pack.len)
        || announced.sha256.is_some_and(|sha256| sha256 != pack.sha256);
    if differs || pack.len == 0 {
        upload.discard().await.map_err(storage)?;
        return Err(garbled());
    }
    let stored = keep(app, principal, upload, &pack).await?;
    Ok(if stored { Stored::New(answer(&pack)) } else { Stored::Again(answer(&pack)) })
}

/// How far one's upload is. A request that still sends it is ended, so that the answer stays true.
pub(crate) async fn progress(app: &App, principal: &Principal, id: PackId) -> Result<Progress, Failure> {
    let hold = app.packs.hold(principal.user, id).await.ok_or_else(taken_over)?;
    progress_of(app, principal, &hold, id).await?.ok_or_else(Failure::not_found)
}

async fn progress_of(app: &App, principal: &Principal, hold: &Hold, id: PackId) -> Result<Option<Progress>, Failure> {
    if hold.offset() > 0 {
        return Ok(Some(Progress::Partial(hold.offset())));
    }
    Ok(packs::find(&mut app.db.read().await?, principal.user, id).await?.map(Progress::Complete))
}

/// An upload goes on where it ended, and nowhere else.
async fn check_offset(app: &App, principal: &Principal, hold: &Hold, id: PackId, offset: u64) -> Result<(), Failure> {
    match progress_of(app, principal, hold, id).await? {
        None => Err(Failure::not_found()),
        Some(Progress::Partial(there)) if there == offset => Ok(()),
        Some(Progress::Partial(there)) => Err(Failure::new(Code::Conflict, "The upload does not go on there.")
            .or("Send the rest from `upload-offset` on.")
            .at(there, false)),
        Some(Progress::Complete(pack)) => {
            Err(Failure::new(Code::Conflict, "The upload is complete.").at(pack.len, true))
        }
    }
}

/// Makes the packs last that came inside a parcel, and says which of them have no row yet: it is written with their bundle's.
pub(crate) async fn inline(app: &App, principal: &Principal, admitted: &Admitted) -> Result<Vec<Pack>, Failure> {
    if admitted.packs.is_empty() {
        return Ok(Vec::new());
    }
    let mut new = Vec::new();
    {
        let mut tx = app.db.read().await?;
        for (pack, bytes) in &admitted.packs {
            if !known(&mut tx, pack).await? {
                new.push((*pack, bytes.clone()));
            }
        }
        check_room(app, &mut tx, principal, new.iter().map(|(pack, _)| pack.len).sum()).await?;
    }
    let packs = new.iter().map(|(pack, _)| *pack).collect();
    if !new.is_empty() {
        app.packs.put(app.draw()?, new).await.map_err(storage)?;
    }
    Ok(packs)
}

/// Writes the rows of packs whose bytes last.
pub(crate) async fn record(app: &App, tx: &mut Tx<'_>, packs: &[Pack]) -> Result<(), Failure> {
    for pack in packs {
        // Another request may have been faster; what it wrote must be the same.
        if !packs::insert(tx, pack, app.clock.now()).await? && !known(tx, pack).await? {
            return Err(anyhow::anyhow!("a pack is neither new nor known").into());
        }
    }
    Ok(())
}

/// Keeps what came along with a bundle that was refused, as an upload that no bundle lists: its sender need not send it again,
/// and a day later it is dropped.
pub(crate) async fn keep_unlisted(app: &App, principal: &Principal, packs: &[Pack]) {
    let rows = async {
        let mut tx = app.db.begin().await?;
        users::lock(&mut tx, principal.user).await?;
        record(app, &mut tx, packs).await?;
        check_room(app, &mut tx, principal, 0).await?;
        Ok::<_, Failure>(tx.commit().await?)
    };
    if !packs.is_empty()
        && let Err(failure) = rows.await
    {
        tracing::warn!(%failure, "packs stay without a row: `check --repair` deletes them");
    }
}

/// Makes an upload last, then writes its row. False when the same pack was here already.
async fn keep(app: &App, principal: &Principal, upload: Upload, pack: &Pack) -> Result<bool, Failure> {
    match is_here(app, principal, pack).await {
        Ok(false) => {}
        // What has no place here is not waited for either.
        answer @ (Ok(true) | Err(Failure::Refused(_))) => {
            upload.discard().await.map_err(storage)?;
            return answer.map(|_| false);
        }
        Err(failure) => return Err(failure),
    }
    app.packs.keep(upload, pack).await.map_err(storage)?;
    let mut tx = app.db.begin().await?;
    users::lock(&mut tx, principal.user).await?;
    if !packs::insert(&mut tx, pack, app.clock.now()).await? {
        return known(&mut tx, pack).await.map(|_| false);
    }
    check_room(app, &mut tx, principal, 0).await?;
    tx.commit().await?;
    Ok(true)
}

/// Whether the same pack is here already; refuses one that has no room, before it is kept.
async fn is_here(app: &App, principal: &Principal, pack: &Pack) -> Result<bool, Failure> {
    let mut tx = app.db.read().await?;
    if known(&mut tx, pack).await? {
        return Ok(true);
    }
    check_room(app, &mut tx, principal, 0).await.map(|()| false)
}

/// Whether the same pack has a row; refuses one whose id has other content, or is used up.
async fn known(tx: &mut Tx<'_>, pack: &Pack) -> Result<bool, Failure> {
    match packs::look_up(tx, pack.owner, pack.id).await? {
        None => Ok(false),
        Some((there, true)) if there == *pack => Ok(true),
        Some(_) => {
            Err(Failure::new(Code::Conflict, "This pack id has other content.").or("Draw a new id for each pack."))
        }
    }
}

/// Refuses when a person keeps more than their plan allows, `more` bytes included.
pub(crate) async fn check_room(app: &App, tx: &mut Tx<'_>, principal: &Principal, more: u64) -> Result<(), Failure> {
    let used = used(app, tx, principal).await?;
    if used.saturating_add(more) <= app.plan(principal).storage_bytes_max() {
        Ok(())
    } else {
        Err(full(app, principal))
    }
}

/// Bytes that a person's plan has room for yet.
async fn room(app: &App, principal: &Principal) -> Result<u64, Failure> {
    let used = used(app, &mut app.db.read().await?, principal).await?;
    Ok(app.plan(principal).storage_bytes_max().saturating_sub(used))
}

/// What a person keeps, with what came of uploads that have not ended.
async fn used(app: &App, tx: &mut Tx<'_>, principal: &Principal) -> Result<u64, Failure> {
    let stored = users::storage_used(tx, principal.user).await?;
    Ok(u64::try_from(stored).unwrap_or_default().saturating_add(app.packs.partial_bytes(principal.user)))
}

fn full(app: &App, principal: &Principal) -> Failure {
    let plan = app.plan(principal);
    let max = plan.storage_bytes_max();
    Failure::new(Code::StorageFull, format!("The plan {plan} keeps {max} bytes, and they are used up."))
        .or("Delete sessions that you no longer need: segue delete.")
}

fn garbled() -> Failure {
    Failure::invalid("The body is not what its length and hash announce, or empty.").or("Send it again.")
}

fn taken_over() -> Failure {
    Failure::new(Code::Conflict, "Another request took this upload over.")
}

/// The storage failed: that its disk is full is something to be told.
fn storage(error: std::io::Error) -> Failure {
    if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
        tracing::error!(%error, "the disk is full");
        return Failure::disk_full();
    }
    Failure::Internal(anyhow::Error::new(error).context("the storage refused"))
}

fn refuse(app: &App, principal: &Principal, stopped: Stopped) -> Failure {
    let failure = match stopped.error {
        UploadError::Cut(_) => Failure::invalid("The body was cut.").or("Send the rest from `upload-offset` on."),
        UploadError::Stalled => {
            let title = format!("No bytes came for {} seconds.", app.settings.body_idle.as_secs());
            Failure::later(Code::Unavailable, title, 1).or("Send the rest from `upload-offset` on.")
        }
        UploadError::TakenOver => taken_over(),
        UploadError::TooLong => Failure::pack_too_large(),
        UploadError::NoRoom => full(app, principal),
        UploadError::TooMany => {
            let title =
                format!("More than {PARTIAL_PACKS_MAX} uploads, or {PARTIAL_BYTES_MAX} bytes of them, are under way.");
            Failure::later(Code::RateLimited, title, 1)
        }
        UploadError::Storage(error) => storage(error),
    };
    if stopped.offset > 0 { failure.at(stopped.offset, false) } else { failure }
}

fn answer(pack: &Pack) -> bundles::Pack {
    bundles::Pack {
        pack_id: pack.id.to_string(),
        len: i64::try_from(pack.len).unwrap_or(i64::MAX),
        sha256: HEXLOWER.encode(&pack.sha256),
    }
}
