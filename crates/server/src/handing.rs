//! Handing a session over: reserve, then create (`docs/protocol.md` §5, Handoff). What happens to a handoff afterwards is in
//! `transition`.

use segue_api::{
    Code,
    handoffs::{Handoff, Reservation as Reserved, Reserve, ReservedFor},
};
use segue_domain::{HandoffId, ProjectId, SessionId, State, TeamId, UserId, limits, plan::Entitlement};
use segue_signed::{SignedKeyCard, WrapKind};
use serde_json::json;

use crate::{
    admission::{self, Admitted, public_card, stale_key},
    answers,
    app::App,
    failure::Failure,
    mail,
    news::{Parties, announce},
    off_runtime::off_runtime,
    once::Once,
    parcel::Sent,
    people::check_verified,
    person::Email,
    principal::Principal,
    provenance::{self, Provenance},
    snapshot,
    store::{
        Tx, events, handoff_views, handoffs, key_cards,
        news::{About, NewNews},
        packs::Pack,
        recipients::{self, To},
        reservations::{self, Reservation},
        sessions, users,
    },
    upload::{self, check_room},
};

/// Whom a reservation asks for.
enum Asked {
    Email(Email),
    User(String),
    Team(String),
}

impl Asked {
    fn read(body: &Reserve) -> Result<Self, Failure> {
        // A form that was left empty names nobody.
        let named = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        match (named(&body.to_email), named(&body.to_user_id), named(&body.to_team_id)) {
            (Some(email), None, None) => Ok(Self::Email(Email::parse(&email)?)),
            (None, Some(id), None) => Ok(Self::User(id)),
            (None, None, Some(id)) => Ok(Self::Team(id)),
            _ => Err(Failure::invalid("A handoff goes to exactly one of to_email, to_user_id and to_team_id.")),
        }
    }

    fn entitlement(&self) -> Entitlement {
        match self {
            Self::Email(_) | Self::User(_) => Entitlement::Handoff,
            Self::Team(_) => Entitlement::TeamHandoff,
        }
    }

    async fn find(self, tx: &mut Tx<'_>, sender: UserId) -> Result<(To, ReservedFor), Failure> {
        let user = match self {
            Self::Email(email) => match users::find_by_email(tx, &email.key).await? {
                Some(user) => user,
                None => return Ok((To::Address(email.clone()), ReservedFor::Address { email: email.written })),
            },
            Self::User(id) => known_user(tx, &id).await?,
            Self::Team(id) => {
                // An unknown team and one that the sender is not in are the same (`docs/protocol.md` §5, Existence).
                let team: TeamId = id.parse().map_err(|_| Failure::not_found())?;
                let (epoch, _) = recipients::team_key(tx, team, sender).await?.ok_or_else(Failure::not_found)?;
                return Ok((To::Team { id: team, epoch }, ReservedFor::Team { team_id: id }));
            }
        };
        Ok((To::User(user.id.0), ReservedFor::User(answers::recipient_key(tx, user).await?)))
    }
}

async fn known_user(tx: &mut Tx<'_>, id: &str) -> Result<users::User, Failure> {
    let found = match id.parse::<UserId>() {
        Ok(id) => users::find(tx, id).await?.filter(|user| user.email_verified),
        Err(_) => None,
    };
    found.ok_or_else(|| {
        Failure::new(Code::RecipientNotJoined, "Nobody with this id and a verified address has joined.")
            .or("Hand over to their e-mail address instead.")
    })
}

/// Names a handoff, its end and its recipient's key, so that its sender can seal it.
pub(crate) async fn reserve(
    app: &App,
    principal: &Principal,
    body: &Reserve,
    once: &Once,
) -> Result<Reserved, Failure> {
    check_verified(principal)?;
    let asked = Asked::read(body)?;
    let (plan, now) = (app.plan(principal), app.clock.now());
    let not_after = plan.grant(now, body.expires_in_hours)?;
    if !plan.includes(asked.entitlement()) {
        return Err(upgrade_required(asked.entitlement()));
    }
    let session: SessionId = body.session_id.parse().map_err(|_| Failure::not_found())?;
    let handoff = HandoffId::from_bytes(app.draw()?);
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first_answer(&mut tx, now).await? {
        return Ok(first);
    }
    sessions::find(&mut tx, principal.user, session).await?.ok_or_else(Failure::not_found)?;
    let (to, recipient) = asked.find(&mut tx, principal.user).await?;
    let reserved_until = now.plus_millis(limits::RESERVATION_MS);
    let new =
        Reservation { handoff, sender: principal.user, session_id: session.to_string(), not_after, reserved_until, to };
    reservations::insert(&mut tx, &new).await?;
    let answer = Reserved {
        handoff_id: handoff.to_string(),
        not_after: not_after.as_millis(),
        recipient,
        reserved_until: reserved_until.as_millis(),
    };
    once.keep(&mut tx, &answer).await?;
    tx.commit().await?;
    Ok(answer)
}

/// The plan lacks something.
pub(crate) fn upgrade_required(entitlement: Entitlement) -> Failure {
    Failure::new(Code::UpgradeRequired, format!("Your plan does not include {}.", entitlement.as_str()))
        .or("Ask whoever runs this server for another plan.")
}

/// Creates a handoff that was reserved, from its sealed bundle.
pub(crate) async fn create(app: &App, principal: &Principal, body: Sent, once: &Once) -> Result<Handoff, Failure> {
    check_verified(principal)?;
    let card = key_cards::current(&mut app.db.read().await?, principal.user).await?;
    let (who, signed) = (principal.clone(), card.clone());
    let admitted = off_runtime(move || admission::handoff(body, &who, &signed.card)).await?;
    let new = upload::inline(app, principal, &admitted).await?;
    let created = store(app, principal, &admitted, &card, &new, once).await;
    if created.is_err() {
        upload::keep_unlisted(app, principal, &new).await;
    }
    created
}

async fn store(
    app: &App,
    principal: &Principal,
    admitted: &Admitted,
    card: &SignedKeyCard,
    new: &[Pack],
    once: &Once,
) -> Result<Handoff, Failure> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first_answer(&mut tx, now).await? {
        return Ok(first);
    }
    snapshot::charge(&mut tx, principal, card).await?;
    upload::record(app, &mut tx, new).await?;
    let reservation = take_reservation(app, &mut tx, principal, admitted).await?;
    check_recipient(&mut tx, admitted, &reservation).await?;
    let refers = Provenance::of(admitted.header());
    let project = provenance::check(&mut tx, principal.user, admitted.session, &refers).await?;
    snapshot::keep(app, &mut tx, principal, admitted, None).await?;
    check_room(app, &mut tx, principal, 0).await?;
    let created = insert(app, &mut tx, admitted, &reservation, project, &refers).await?;
    let row =
        handoff_views::find(&mut tx, principal.user, reservation.handoff).await?.ok_or_else(Failure::not_found)?;
    let answer = answers::handoff(&row, principal.user, now)?;
    once.keep(&mut tx, &answer).await?;
    let parties = Parties { sender: reservation.sender, to: &reservation.to, state: &State::Pending };
    let announced = announce(&mut tx, &parties, &[created], now).await?;
    tx.commit().await?;
    app.metrics.transition("create", "done");
    app.news.tell(announced);
    Ok(answer)
}

/// Uses up the reservation that the envelope names, if it is the principal's and says the same.
async fn take_reservation(
    app: &App,
    tx: &mut Tx<'_>,
    principal: &Principal,
    admitted: &Admitted,
) -> Result<Reservation, Failure> {
    let header = admitted.header();
    let handoff = header.handoff_id.parse().map_err(|_| Failure::not_found())?;
    let found = reservations::find(tx, principal.user, handoff).await?.ok_or_else(Failure::not_found)?;
    if found.reserved_until <= app.clock.now() {
        return Err(Failure::new(Code::Expired, "This reservation has expired.").or("Reserve again, and seal again."));
    }
    if header.not_after != found.not_after.as_wire() || header.session_id != found.session_id || header.revision != 0 {
        return Err(
            Failure::invalid("The envelope does not say what was reserved.").or("Seal what the reservation names.")
        );
    }
    if !reservations::delete(tx, handoff).await? {
        return Err(Failure::not_found());
    }
    Ok(found)
}

/// The envelope is for exactly whom the reservation names, under the current key.
async fn check_recipient(tx: &mut Tx<'_>, admitted: &Admitted, reservation: &Reservation) -> Result<(), Failure> {
    let [recipient] = admitted.header().recipients.as_slice() else { return Err(not_reserved_for()) };
    let (kind, id) = match &reservation.to {
        To::User(user) => (WrapKind::User, user.to_string()),
        To::Team { id, .. } => (WrapKind::Team, id.to_string()),
        // The sender draws the invite and its key; the server knows neither.
        To::Address(_) => (WrapKind::Invite, recipient.id.clone()),
    };
    if recipient.kind != kind || recipient.id != id {
        return Err(not_reserved_for());
    }
    let current = match &reservation.to {
        To::User(user) => {
            let card = key_cards::current(tx, *user).await?.card;
            (card.encryption_key_fingerprint(), i64::from(card.epoch))
        }
        To::Team { id, epoch } => {
            let known = recipients::team_key(tx, *id, reservation.sender).await?.ok_or_else(Failure::not_found)?;
            (known.1, if known.0 == *epoch { known.0 } else { return Err(stale_key()) })
        }
        // Who has joined meanwhile has a key of their own.
        To::Address(email) if users::find_by_email(tx, &email.key).await?.is_some() => return Err(stale_key()),
        To::Address(_) => return Ok(()),
    };
    if (recipient.key_fp, i64::from(recipient.epoch)) == current { Ok(()) } else { Err(stale_key()) }
}

fn not_reserved_for() -> Failure {
    Failure::invalid("The envelope is not for whom the reservation names.").or("Seal for its recipient.")
}

async fn insert(
    app: &App,
    tx: &mut Tx<'_>,
    admitted: &Admitted,
    reservation: &Reservation,
    project: Option<ProjectId>,
    refers: &Provenance,
) -> Result<NewNews<'static>, Failure> {
    let (header, now) = (admitted.header(), app.clock.now());
    let card = serde_json::to_string(&public_card(&header.card)).map_err(anyhow::Error::from)?;
    let refers = (*refers != Provenance::default()).then(|| json!(refers).to_string());
    let new = handoffs::NewHandoff {
        id: reservation.handoff,
        sender: reservation.sender,
        session_id: &header.session_id,
        bundle: admitted.id(),
        card: &card,
        message: &header.message,
        claim_check: &admitted.envelope().claim_check,
        expires_at: reservation.not_after,
        to: &reservation.to,
        project,
        provenance: refers.as_deref(),
    };
    handoffs::insert(tx, &new, now).await?;
    let actor = reservation.sender.to_string();
    let event = events::NewEvent { handoff: new.id, kind: "created", actor: &actor, actor_type: "user", payload: "{}" };
    let seq = events::append(tx, &event, now).await?;
    for to in recipients::people(tx, &reservation.to, reservation.sender).await? {
        let mail = mail::Mail { kind: "created", handoff: new.id, event: seq, to, by: reservation.sender, said: "" };
        mail::enqueue(tx, &mail, now).await?;
    }
    if let To::Address(email) = &reservation.to {
        // When it is not sent, because they had one today, the handoff waits for them all the same.
        mail::invite_for_handoff(tx, new.id, seq, &email.written, reservation.sender, now).await?;
    }
    Ok(NewNews { about: About::Handoff(new.id), kind: "created", event: seq })
}
