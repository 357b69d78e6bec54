//! What the parties of a handoff do to it (SPEC T9, T10, T13). Each is one transaction: [`Deed`].

use segue_api::{
    Code,
    handoffs::{Claim, Claimed, Comment, Decline, Handoff, NewComment, Revoke},
};
use segue_domain::{
    CommentId, HandoffId, SessionId, State, UserId,
    handoff::Event,
    limits::{COMMENT_CHARS_MAX, COMMENTS_MAX, REASON_CHARS_MAX},
};
use segue_signed::{Wrap, sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    answers,
    app::App,
    failure::Failure,
    once::Once,
    principal::Principal,
    provenance, snapshot,
    store::{
        comments, declines, handoff_views,
        handoffs::Loaded,
        recipients::{self, To},
    },
    transition::{Deed, Said},
};

/// Claims a handoff for a recipient. One claim wins; repeating one's own gives the same session.
pub(crate) async fn claim(
    app: &App,
    principal: &Principal,
    id: HandoffId,
    body: &Claim,
    once: &Once,
) -> Result<Claimed, Failure> {
    let session = SessionId::from_bytes(app.draw()?);
    let by = principal.user;
    let own = body.own_wrap.as_ref().map(|wrap| Wrap::parse(&wrap.0)).transpose()?;
    let mut deed =
        Deed::begin(app, principal, id, once, |loaded| loaded.is_recipient || is_claimer(loaded, by)).await?;
    if let Some(first) = deed.first_answer().await? {
        return Ok(first);
    }
    check_proof(&deed.loaded, body)?;
    let outcome = deed.apply(&Event::Claim { by, session }, Said::Nothing).await?;
    let (mut session_id, mut given) = (String::new(), provenance::Given::default());
    if let State::Claimed { session, .. } = outcome.after.state {
        session_id = session.to_string();
        given = provenance::give(&mut deed, by, session).await?;
        if let Some(own) = &own {
            snapshot::keep_own_wrap(&mut deed.tx, principal, Ok(deed.loaded.bundle), own).await?;
        }
    }
    let answer = Claimed {
        handoff_id: id.to_string(),
        session_id,
        bundle_id: deed.loaded.bundle.to_string(),
        dropped: given.dropped,
        active_ticket: given.active,
    };
    deed.end(&outcome, answer).await
}

/// Whether somebody has claimed it.
pub(crate) fn is_claimer(loaded: &Loaded, user: UserId) -> bool {
    matches!(loaded.handoff.state, State::Claimed { by, .. } if by == user)
}

/// Shows that the claimer can open what they claim, so that nobody burns what they cannot open. Constant time, although
/// what is compared are hashes.
fn check_proof(loaded: &Loaded, body: &Claim) -> Result<(), Failure> {
    if bool::from(sha256(&body.claim_proof.0).ct_eq(&loaded.claim_check)) {
        return Ok(());
    }
    Err(Failure::new(Code::WrongProof, "This proof does not open the bundle.")
        .or("Open the wrap with the key that the envelope names, and derive the proof from it."))
}

/// Takes a handoff back: its sender only.
pub(crate) async fn revoke(
    app: &App,
    principal: &Principal,
    id: HandoffId,
    body: &Revoke,
    once: &Once,
) -> Result<Handoff, Failure> {
    let reason = said("reason", &body.reason, REASON_CHARS_MAX)?;
    let mut deed = Deed::begin(app, principal, id, once, |loaded| loaded.sender == principal.user).await?;
    if let Some(first) = deed.first_answer().await? {
        return Ok(first);
    }
    let outcome = deed.apply(&Event::Revoke, Said::Reason(reason)).await?;
    let answer = view(&mut deed, principal.user).await?;
    deed.end(&outcome, answer).await
}

/// Refuses a handoff: a recipient only. One member of a team refuses for themselves; the last one for all.
pub(crate) async fn decline(
    app: &App,
    principal: &Principal,
    id: HandoffId,
    body: &Decline,
    once: &Once,
) -> Result<Handoff, Failure> {
    let reason = body.reason.as_deref().map(|reason| said("reason", reason, REASON_CHARS_MAX)).transpose()?;
    let mut deed = Deed::begin(app, principal, id, once, |loaded| loaded.is_recipient).await?;
    if let Some(first) = deed.first_answer().await? {
        return Ok(first);
    }
    let open = deed.loaded.handoff.is_open(deed.now);
    let mut members_left = 0;
    if let To::Team { .. } = deed.loaded.to
        && open
    {
        let first_time = declines::insert(&mut deed.tx, id, principal.user, deed.now).await?;
        members_left = left(&mut deed, id).await?;
        if !first_time && members_left > 0 {
            let answer = view(&mut deed, principal.user).await?;
            return deed.finish(answer).await;
        }
    }
    let outcome = deed.apply(&Event::Decline { members_left }, reason.map_or(Said::Nothing, Said::Reason)).await?;
    let answer = view(&mut deed, principal.user).await?;
    deed.end(&outcome, answer).await
}

/// Members who may claim and have not declined.
async fn left(deed: &mut Deed<'_>, id: HandoffId) -> Result<u32, Failure> {
    let declined = declines::list(&mut deed.tx, id).await?;
    let eligible = recipients::people(&mut deed.tx, &deed.loaded.to, deed.loaded.sender).await?;
    let left = eligible.iter().filter(|user| !declined.contains(user)).count();
    Ok(u32::try_from(left).unwrap_or(u32::MAX))
}

/// Writes to the other party, whatever the state; after a claim the sender and the claimer only.
pub(crate) async fn comment(
    app: &App,
    principal: &Principal,
    id: HandoffId,
    body: &NewComment,
    once: &Once,
) -> Result<Comment, Failure> {
    let text = said("comment", &body.body, COMMENT_CHARS_MAX)?;
    let (comment, by) = (CommentId::from_bytes(app.draw()?), principal.user);
    let concerned = |loaded: &Loaded| {
        loaded.sender == by || is_claimer(loaded, by) || !matches!(loaded.handoff.state, State::Claimed { .. })
    };
    let mut deed = Deed::begin(app, principal, id, once, concerned).await?;
    if let Some(first) = deed.first_answer().await? {
        return Ok(first);
    }
    if comments::count(&mut deed.tx, id).await? >= COMMENTS_MAX {
        return Err(Failure::invalid(format!("A handoff has at most {COMMENTS_MAX} comments."))
            .or("Go on in a new handoff, or elsewhere."));
    }
    let outcome = deed.apply(&Event::Comment, Said::Comment(comment, text)).await?;
    let new = comments::NewComment { handoff: id, seq: outcome.event, id: comment, author: by, body: text };
    comments::insert(&mut deed.tx, &new, deed.now).await?;
    let row = comments::find(&mut deed.tx, id, outcome.event).await?;
    deed.finish(answers::comment(&row)).await
}

/// The handoff as it is now.
pub(crate) async fn view(deed: &mut Deed<'_>, party: UserId) -> Result<Handoff, Failure> {
    let row = handoff_views::find(&mut deed.tx, party, deed.loaded.id).await?;
    answers::handoff(&row.ok_or_else(Failure::not_found)?, party, deed.now)
}

/// Text that a person wrote: not blank, at most `max` characters.
fn said<'a>(what: &str, text: &'a str, max: usize) -> Result<&'a str, Failure> {
    if !text.trim().is_empty() && text.chars().count() <= max {
        return Ok(text);
    }
    Err(Failure::invalid(format!("A {what} has 1 to {max} characters that are not all blank.")))
}
