//! What happens because time passes: expiries are recorded, and what nobody needs any more is dropped.

use std::sync::Arc;

use segue_domain::limits;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    failure::Failure,
    mail, news, pairings,
    store::{idempotency, packs, reservations},
    transition,
};

/// Handoffs or packs in one round: the one writer is free again in between.
const ROUND: i64 = 100;
/// Time between marking a pack and deleting its bytes: readers that found it before have long ended.
const GRACE_MS: i64 = 60 * 60 * 1000;
/// One hour.
const HOUR_MS: i64 = 60 * 60 * 1000;

/// Sweeps now and then until the server stops. A sweep that fails is tried again with the next.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(app.settings.sweep_every) => {}
        }
        let begun = Instant::now();
        let swept = once(&app).await;
        app.metrics.swept(begun.elapsed());
        if let Err(error) = swept {
            tracing::warn!(error = format!("{error:?}"), "a sweep failed");
        }
    }
}

/// Sweeps once.
pub async fn once(app: &App) -> Result<(), Failure> {
    while transition::expire_due(app, ROUND).await? > 0 {}
    while pairings::expire_due(app, ROUND).await? > 0 {}
    forget(app).await?;
    pairings::forget(app, ROUND).await?;
    mail::forget(app).await?;
    news::forget(app, ROUND).await?;
    drop_uploads(app).await?;
    collect(app).await?;
    app.rates.forget_idle();
    Ok(())
}

async fn forget(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    idempotency::delete_older(&mut tx, now.plus_millis(-HOUR_MS * i64::from(limits::IDEMPOTENCY_HOURS))).await?;
    // Kept a while after its end, so that a late create is told that it is late.
    reservations::delete_ended(&mut tx, now.plus_millis(-24 * HOUR_MS)).await?;
    Ok(tx.commit().await?)
}

/// Drops what came of uploads that were given up.
async fn drop_uploads(app: &App) -> Result<(), Failure> {
    let before = app.clock.now().plus_millis(-HOUR_MS * i64::from(limits::UNLISTED_PACK_HOURS));
    let packs = app.packs.clone();
    let dropped = tokio::task::spawn_blocking(move || packs.drop_partials(before)).await;
    Ok(dropped.map_err(anyhow::Error::from)?.map_err(anyhow::Error::from)?)
}

/// Collects packs that no bundle lists: marked in one transaction, deleted after a grace time, forgotten at last.
async fn collect(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    packs::condemn(&mut tx, now.plus_millis(-HOUR_MS * i64::from(limits::UNLISTED_PACK_HOURS)), now).await?;
    tx.commit().await?;
    loop {
        let condemned = packs::condemned(&mut app.db.read().await?, now.plus_millis(-GRACE_MS), ROUND).await?;
        if condemned.is_empty() {
            return Ok(());
        }
        for pack in &condemned {
            app.packs.delete(pack).await.map_err(anyhow::Error::from)?;
        }
        let mut tx = app.db.begin().await?;
        for pack in &condemned {
            packs::delete(&mut tx, pack).await?;
        }
        tx.commit().await?;
    }
}
