//! Handoffs as their parties look at them.

use segue_api::{
    bundles::Bundle,
    handoffs::{Comments, Events, Handoff, HandoffBox, Handoffs},
};
use segue_domain::{HandoffId, State, UserId};

use crate::{
    answers,
    app::App,
    failure::Failure,
    page::{Onward, Page},
    principal::Actor,
    snapshot,
    store::{
        Tx, comments, events,
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
pub(crate) async fn see(app: &App, by: Actor, id: HandoffId) -> Result<Handoff, Failure> {
    // Of one moment, before it is read: time that passes meanwhile does not end what somebody may still claim.
    let now = app.clock.now();
    answers::handoff(&look(app, by, id).await?, by.user, now)
}

/// What a party needs to begin to open it. The wrap goes only to those who may still come to read it: to everybody while
/// it waits, to the claimer afterwards.
pub(crate) async fn open(app: &App, by: Actor, id: HandoffId) -> Result<Bundle, Failure> {
    let party = by.user;
    let row = Some(look(app, by, id).await?).filter(|row| row.concerns(party)).ok_or_else(Failure::not_found)?;
    let mine = row.state == State::Pending.as_str() || row.is_claimer(party);
    let mut tx = app.db.read().await?;
    let wrap = if mine { wraps::find(&mut tx, row.bundle_id.0, party).await? } else { None };
    snapshot::opening(&mut tx, row.bundle_id.0, wrap).await
}

/// One page of what its parties wrote to each other.
pub(crate) async fn comments(app: &App, party: UserId, id: HandoffId, page: &Onward) -> Result<Comments, Failure> {
    let mut tx = app.db.read().await?;
    concerned(&mut tx, party, id).await?;
    let mut rows = comments::list(&mut tx, id, page).await?;
    let next = page.cut(&mut rows, |row| row.seq);
    Ok(Comments { comments: rows.iter().map(answers::comment).collect(), next })
}

/// One page of its audit log.
pub(crate) async fn events(app: &App, party: UserId, id: HandoffId, page: &Onward) -> Result<Events, Failure> {
    let mut tx = app.db.read().await?;
    concerned(&mut tx, party, id).await?;
    let mut rows = events::list(&mut tx, id, page).await?;
    let next = page.cut(&mut rows, |row| row.seq);
    Ok(Events { events: rows.into_iter().map(answers::event).collect(), next })
}

async fn concerned(tx: &mut Tx<'_>, party: UserId, id: HandoffId) -> Result<(), Failure> {
    let row = handoff_views::find(tx, party, id).await?;
    row.filter(|row| row.concerns(party)).map(drop).ok_or_else(Failure::not_found)
}

/// The handoff, after what looking at it changes was recorded.
async fn look(app: &App, by: Actor, id: HandoffId) -> Result<HandoffView, Failure> {
    let find = async || {
        let found = handoff_views::find(&mut app.db.read().await?, by.user, id).await?;
        found.ok_or_else(Failure::not_found)
    };
    let row = find().await?;
    let first_look = row.is_recipient && row.viewed_at.is_none();
    if row.state == State::Pending.as_str() && (first_look || app.clock.now() >= row.expires_at) {
        transition::look(app, by, id).await?;
        return find().await;
    }
    Ok(row)
}
