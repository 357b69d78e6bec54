//! Handoffs as their parties look at them.

use segue_api::{
    bundles::Bundle,
    handoffs::{Handoff, HandoffBox, Handoffs},
};
use segue_domain::{HandoffId, State, UserId};

use crate::{
    answers,
    app::App,
    failure::Failure,
    page::Page,
    snapshot,
    store::{
        handoff_views::{self, HandoffView},
        wraps,
    },
    transition,
};

/// One page of what a person was given or gave.
pub(crate) async fn list(app: &App, party: UserId, which: HandoffBox, page: &Page) -> Result<Handoffs, Failure> {
    let mut tx = app.db.read().await?;
    let mut rows = match which {
        HandoffBox::Inbox => handoff_views::inbox(&mut tx, party, page).await?,
        HandoffBox::Sent => handoff_views::sent(&mut tx, party, page).await?,
    };
    let next = page.cut(&mut rows, answers::handoff_cursor);
    let now = app.clock.now();
    let handoffs = rows.iter().map(|row| answers::handoff(row, party, now)).collect::<Result<_, _>>()?;
    Ok(Handoffs { handoffs, next })
}

/// One handoff.
pub(crate) async fn see(app: &App, party: UserId, id: HandoffId) -> Result<Handoff, Failure> {
    answers::handoff(&look(app, party, id).await?, party, app.clock.now())
}

/// What a party needs to begin to open it. The wrap goes only to those who may still come to read it: to everybody while
/// it waits, to the claimer afterwards.
pub(crate) async fn open(app: &App, party: UserId, id: HandoffId) -> Result<Bundle, Failure> {
    let row = look(app, party, id).await?;
    let mine = row.state == State::Pending.as_str() || row.claimed_by.is_some_and(|by| by.0 == party);
    let mut tx = app.db.read().await?;
    let wrap = if mine { wraps::find(&mut tx, row.bundle_id.0, party).await? } else { None };
    snapshot::opening(&mut tx, row.bundle_id.0, wrap).await
}

/// The handoff, after what looking at it changes was recorded.
async fn look(app: &App, party: UserId, id: HandoffId) -> Result<HandoffView, Failure> {
    let find = async || {
        let found = handoff_views::find(&mut app.db.read().await?, party, id).await?;
        found.ok_or_else(Failure::not_found)
    };
    let row = find().await?;
    let first_look = row.recipient_id.0 == party && row.viewed_at.is_none();
    if row.state == State::Pending.as_str() && (first_look || app.clock.now() >= row.expires_at) {
        transition::look(app, party, id).await?;
        return find().await;
    }
    Ok(row)
}
