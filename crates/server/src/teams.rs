//! Teams as their members see them. Nobody else sees one at all. [`publish`] changes them.

pub(crate) mod publish;

use segue_api::{
    handoffs::RecipientKey,
    teams::{ListedRoster, Rosters, Team, TeamKey, TeamListed, TeamMember, Teams},
};
use segue_domain::{TeamId, UserId, limits};
use segue_signed::{SignedKeyCard, SignedRoster, roster::identity_fingerprint};

use crate::{
    app::App,
    failure::Failure,
    page::{Cursor, Page},
    store::{
        Tx, key_cards,
        teams::{self, Row},
        users,
    },
};

/// One page of a person's teams, newest first.
pub(crate) async fn list(app: &App, user: UserId, page: &Page) -> Result<Teams, Failure> {
    let mut rows = teams::list(&mut app.db.read().await?, user, page).await?;
    let next = page.cut(&mut rows, |row| Cursor { at: row.created_at, id: row.id.0.to_string() });
    Ok(Teams { teams: rows.into_iter().map(listed).collect::<Result<_, _>>()?, next })
}

fn listed(row: Row) -> Result<TeamListed, Failure> {
    Ok(TeamListed {
        team_id: row.id.0.to_string(),
        version: row.version()?,
        epoch: row.epoch()?,
        name: row.name,
        role: row.role,
        members: row.members,
        created_at: row.created_at.as_millis(),
    })
}

/// One team, at one moment.
pub(crate) async fn see(app: &App, user: UserId, id: TeamId) -> Result<Team, Failure> {
    let mut tx = app.db.snapshot().await?;
    let row = teams::find(&mut tx, id, user).await?.ok_or_else(Failure::not_found)?;
    let members = teams::members(&mut tx, id).await?.into_iter().map(|member| TeamMember {
        person: RecipientKey {
            user_id: member.id.0.to_string(),
            email: member.email,
            name: member.name,
            key_card: member.card.into(),
        },
        role: member.role,
    });
    let members = members.collect();
    let keys = teams::keys(&mut tx, id, user).await?.into_iter();
    Ok(Team {
        team_id: id.to_string(),
        roster: teams::roster(&mut tx, id, row.version()?).await?.encode().into(),
        name: row.name,
        members,
        keys: keys.map(|(epoch, wrap)| TeamKey { epoch, wrap: wrap.into() }).collect(),
        created_at: row.created_at.as_millis(),
    })
}

/// One page of a team's chain, at one moment.
pub(crate) async fn rosters(app: &App, user: UserId, id: TeamId, after: u32) -> Result<Rosters, Failure> {
    let mut tx = app.db.snapshot().await?;
    teams::find(&mut tx, id, user).await?.ok_or_else(Failure::not_found)?;
    let mut before = match after {
        0 => None,
        after => teams::find_roster(&mut tx, id, after).await?,
    };
    let (mut page, mut next) = (Vec::new(), None);
    for (number, signed) in (1..).zip(teams::rosters(&mut tx, id, after, limits::PAGE_ROSTERS_MAX + 1).await?) {
        if number > limits::PAGE_ROSTERS_MAX {
            next = before.map(|before| before.roster.version);
            break;
        }
        let signer = signer(&mut tx, before.as_ref(), &signed).await?;
        page.push(ListedRoster { roster: signed.encode().into(), signer });
        before = Some(signed);
    }
    Ok(Rosters { rosters: page, next })
}

/// Who signed a roster, with their newest card of the identity key that gave them the right to.
async fn signer(
    tx: &mut Tx<'_>,
    before: Option<&SignedRoster>,
    signed: &SignedRoster,
) -> Result<RecipientKey, Failure> {
    let corrupt = || anyhow::anyhow!("a roster is signed by nobody who is known");
    let user: UserId = signed.signer_id.parse().map_err(|_| corrupt())?;
    let person = users::find(tx, user).await?.ok_or_else(corrupt)?;
    let right = before.unwrap_or(signed).roster.member(&signed.signer_id).ok_or_else(corrupt)?;
    let same = |card: &SignedKeyCard| identity_fingerprint(&card.card.identity_key) == right.identity_fp;
    let card = key_cards::newest_first(tx, user).await?.into_iter().find(same).ok_or_else(corrupt)?;
    Ok(RecipientKey {
        user_id: user.to_string(),
        email: person.email,
        name: person.name,
        key_card: card.encode().into(),
    })
}
