//! `segue team`: who may claim what is handed to a team (SPEC T13).

use segue_domain::TeamId;
use segue_signed::{Member, MemberRole, Roster, roster::identity_fingerprint};
use serde_json::{Value, json};

use crate::{
    account::Account,
    args::teams as args,
    error::{CliError, Exit, Result},
    home::Home,
    output::Output,
    remote::Remote,
    teams::{
        self, Verified,
        edit::{Change, Editor},
    },
    untrusted::Untrusted,
};

/// Works on teams.
pub(super) fn run(options: args::Team, output: &Output) -> Result<()> {
    let home = Home::find()?;
    let account = Account::load(&home)?;
    let remote = Remote::signed_in(&account)?;
    let editor = Editor { home: &home, account: &account, remote: &remote, output };
    let meant = |text: &str| teams::resolve(&home, &remote, text);
    let verified = |text: &str| teams::read(&home, &account, &remote, meant(text)?, output);
    match options {
        args::Team::Create { name } => create(&editor, &name, output),
        args::Team::List => list(&remote, output),
        args::Team::Show { team } => show(&verified(&team)?, output),
        args::Team::Add { team, emails, admin } => add(&editor, meant(&team)?, &emails, admin, output),
        args::Team::Mend { team } => mend(&editor, meant(&team)?, output),
        args::Team::Remove { team, person } => remove(&editor, meant(&team)?, &person, output),
        args::Team::Rename { team, name } => rename(&editor, meant(&team)?, &name, output),
        args::Team::Delete { team } => delete(&editor, meant(&team)?, output),
        args::Team::Trust { team, fingerprint } => trust(&home, &mut verified(&team)?, &fingerprint, output),
    }
}

fn create(editor: &Editor<'_>, name: &str, output: &Output) -> Result<()> {
    let team = editor.create(name.trim())?;
    let text = format!(
        "Began {}: {}\nIts fingerprint, for its members to compare: {}\nTake people in: segue team add {} EMAIL",
        Untrusted(&team.said.name),
        team.id,
        team.fingerprint()?,
        team.id
    );
    output.answer(text, to_json(&team)?)
}

fn list(remote: &Remote, output: &Output) -> Result<()> {
    let all = teams::list(remote)?;
    let lines: Vec<_> = all
        .iter()
        .map(|team| {
            let (id, role, name) = (Untrusted(&team.team_id), Untrusted(&team.role), Untrusted(&team.name));
            format!("{id}  {role:6}  {:3} members  {}", team.members, name.short(48))
        })
        .collect();
    // The API's own shape; serialising it cannot fail.
    let value =
        json!({"teams": all.iter().map(|team| serde_json::to_value(team).unwrap_or_default()).collect::<Vec<_>>()});
    let empty = "You are in no team. Begin one: segue team create NAME".to_owned();
    output.answer(if lines.is_empty() { empty } else { lines.join("\n") }, value)
}

fn show(team: &Verified, output: &Output) -> Result<()> {
    let compared = if team.is_trusted() { "compared" } else { "not compared yet: segue team trust" };
    let members = team.roster.members.iter().map(|member| {
        let email = Untrusted(team.email(member)).to_string();
        let outdated =
            if team.is_outdated(member) { "  has new keys, and is no member until you take them" } else { "" };
        format!("\n  {:6}  {email}  {}{outdated}", member.role.as_str(), Untrusted(&member.user_id))
    });
    let mend = if team.roster.members.iter().any(|member| team.is_outdated(member)) {
        format!("\nTake the new keys, as an admin: segue team mend {}", team.id)
    } else {
        String::new()
    };
    let text = format!(
        "{}  {}\nfingerprint  {} ({compared})\nroster       version {}, key of epoch {}{}{mend}",
        team.id,
        Untrusted(&team.said.name),
        team.fingerprint()?,
        team.roster.version,
        team.roster.epoch,
        members.collect::<String>()
    );
    output.answer(text, to_json(team)?)
}

fn to_json(team: &Verified) -> Result<Value> {
    let members: Vec<_> = team
        .roster
        .members
        .iter()
        .map(|member| {
            json!({
                "user_id": member.user_id, "email": team.email(member), "role": member.role.as_str(),
                "outdated": team.is_outdated(member),
            })
        })
        .collect();
    Ok(json!({
        "team_id": team.id.to_string(), "name": team.said.name, "version": team.roster.version,
        "epoch": team.roster.epoch, "fingerprint": team.fingerprint()?, "trusted": team.is_trusted(),
        "members": members,
    }))
}

fn add(editor: &Editor<'_>, id: TeamId, emails: &[String], admin: bool, output: &Output) -> Result<()> {
    let published = editor.publish(id, |team| {
        let mut change = Change { members: team.roster.members.clone(), ..Change::default() };
        for email in emails {
            let person = editor.remote.look_up(email.trim())?;
            if !person.email.eq_ignore_ascii_case(email.trim()) {
                return Err(CliError::verification(format!("the server names {} instead", Untrusted(&person.email))));
            }
            let card = editor.meet(&person)?;
            let identity_fp = identity_fingerprint(&card.identity_key);
            let known = change.members.iter().position(|member| member.user_id == card.user_id);
            let was = known.map(|position| change.members.remove(position));
            let is_admin = admin || was.is_some_and(|was| was.role == MemberRole::Admin);
            let role = if is_admin { MemberRole::Admin } else { MemberRole::Member };
            change.members.push(Member { user_id: card.user_id.clone(), identity_fp, role });
            change.cards.push(card);
        }
        let changes = change.members.iter().any(|member| !team.roster.members.contains(member));
        Ok(changes.then_some(change))
    })?;
    let who: Vec<_> = emails.iter().map(|email| Untrusted(email.trim()).to_string()).collect();
    let text = match &published {
        Some(_) => format!("{} can claim what is handed to {id} from now on.", who.join(", ")),
        None => "They were in it already; nothing was changed.".to_owned(),
    };
    report(&text, id, published.as_ref(), output)
}

fn mend(editor: &Editor<'_>, id: TeamId, output: &Output) -> Result<()> {
    let published = editor.mend(id, |team| confirm(team, output))?;
    let text = match &published {
        Some(_) => format!("{id} names its members' present keys, and is sealed for a new key of its own from now on."),
        None => "Everybody's keys are those that it names; nothing was changed.".to_owned(),
    };
    report(&text, id, published.as_ref(), output)
}

/// Whoever has the removed device could have signed it: a person says whether it is the team.
fn confirm(team: &Verified, output: &Output) -> Result<()> {
    let members: Vec<_> = team
        .roster
        .members
        .iter()
        .map(|member| format!("  {:6}  {}", member.role.as_str(), Untrusted(team.email(member))))
        .collect();
    let question = format!(
        "{} ({}) was last signed by a device that was removed since. Its members:\n{}\nAre they who should be in it?",
        Untrusted(&team.said.name),
        team.id,
        members.join("\n")
    );
    if output.agrees(&question, "Look at them (segue team mend TEAM, on a terminal), and confirm with --yes.")? {
        return Ok(());
    }
    Err(CliError::new(Exit::Error, "not_confirmed", "nothing was signed")
        .hint("Begin another team: segue team create NAME"))
}

fn remove(editor: &Editor<'_>, id: TeamId, person: &str, output: &Output) -> Result<()> {
    let person = person.trim();
    let published = editor.publish(id, |team| {
        let is_meant = |member: &Member| member.user_id == person || team.email(member).eq_ignore_ascii_case(person);
        let (gone, members): (Vec<_>, Vec<_>) = team.roster.members.iter().cloned().partition(is_meant);
        if gone.is_empty() {
            return Err(CliError::not_found(format!("{} is not in this team", Untrusted(person)))
                .hint("See who is: segue team show TEAM"));
        }
        Ok(Some(Change { members, ..Change::default() }))
    })?;
    let text = format!(
        "{} is out of {id}. What is handed to it from now on is sealed for a new key; what they fetched before stays theirs.",
        Untrusted(person)
    );
    report(&text, id, published.as_ref(), output)
}

fn rename(editor: &Editor<'_>, id: TeamId, name: &str, output: &Output) -> Result<()> {
    let published = editor.publish(id, |team| {
        let (members, name) = (team.roster.members.clone(), Some(name.trim().to_owned()));
        Ok(Some(Change { members, name, ..Change::default() }))
    })?;
    report(&format!("{id} is called {} now.", Untrusted(name.trim())), id, published.as_ref(), output)
}

fn delete(editor: &Editor<'_>, id: TeamId, output: &Output) -> Result<()> {
    if !output.agrees(&format!("End {id} for good?"), "Confirm with --yes.")? {
        return output.answer("Nothing was changed.", json!({"team_id": id.to_string(), "deleted": false}));
    }
    editor.publish(id, |_| Ok(Some(Change::default())))?;
    output.answer(format!("{id} has ended."), json!({"team_id": id.to_string(), "deleted": true}))
}

fn trust(home: &Home, team: &mut Verified, told: &str, output: &Output) -> Result<()> {
    team.trust(home, told)?;
    output.answer(format!("{} is the team that you were told about.", team.id), to_json(team)?)
}

fn report(text: &str, id: TeamId, published: Option<&Roster>, output: &Output) -> Result<()> {
    let value = json!({
        "team_id": id.to_string(), "changed": published.is_some(),
        "version": published.map(|roster| roster.version), "epoch": published.map(|roster| roster.epoch),
    });
    output.answer(text, value)
}
