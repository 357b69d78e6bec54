//! `segue-server users` and `plan`: who has an account, and what they may do. A plan counts from a person's next request on.

use anyhow::bail;
use segue_domain::{Clock as _, Plan};
use serde_json::{Value, json};

use crate::{
    app::SystemClock,
    config::{Config, PlanChoice, PlanCommand, UsersCommand},
    operate::say,
    store::{
        Db, Tx,
        accounts::{self, Account},
        users,
    },
};

/// Accounts that are read at once.
const PAGE: i64 = 500;
/// Who changed a plan, in the account's events: whoever may run this program on the server's data.
const OPERATOR: &str = "operator";

/// Shows people.
pub(crate) async fn users(config: &Config, db: &Db, command: &UsersCommand) -> anyhow::Result<()> {
    match command {
        UsersCommand::List => list(config, db).await,
        UsersCommand::Show { who } => show(config, db, who).await,
    }
}

async fn list(config: &Config, db: &Db) -> anyhow::Result<()> {
    let mut last: Option<Account> = None;
    loop {
        let page = accounts::list(&mut db.read().await?, last.as_ref(), PAGE).await?;
        for account in &page {
            let plan = plan_word(config, account.plan()?);
            let verified = if account.email_verified { "" } else { " (not verified)" };
            let text = format!("{} {}{verified} {plan}", account.id.0, account.email);
            say(config, &text, &seen(config, account)?)?;
        }
        match page.into_iter().next_back() {
            Some(account) => last = Some(account),
            None => return Ok(()),
        }
    }
}

async fn show(config: &Config, db: &Db, who: &str) -> anyhow::Result<()> {
    let mut tx = db.read().await?;
    let account = find(&mut tx, who).await?;
    let extent = accounts::extent(&mut tx, account.id.0).await?;
    let used = users::storage_used(&mut tx, account.id.0).await?;
    let max = account.plan()?.unwrap_or(config.plan).storage_bytes_max();
    let mut all = seen(config, &account)?;
    all["devices"] = extent.devices.into();
    all["sessions"] = extent.sessions.into();
    all["storage_used"] = used.into();
    all["storage_max"] = max.into();
    let verified = if account.email_verified { "verified" } else { "not verified" };
    let name = printable(&account.name);
    let text = format!(
        "{}\naddress: {} ({verified})\nname: {name}\nowner: {}\nplan: {}\ndevices: {}\nsessions: {}\nstorage: {used} of {max} bytes",
        account.id.0,
        account.email,
        if account.owner { "yes" } else { "no" },
        plan_word(config, account.plan()?),
        extent.devices,
        extent.sessions,
    );
    say(config, &text, &all)
}

/// Shows or changes a plan.
pub(crate) async fn plan(config: &Config, db: &Db, command: &PlanCommand) -> anyhow::Result<()> {
    match command {
        PlanCommand::Get { who } => {
            let account = find(&mut db.read().await?, who).await?;
            say(config, &plan_word(config, account.plan()?), &seen(config, &account)?)
        }
        PlanCommand::Set { who, plan: PlanChoice(plan) } => {
            let account = set(db, who, *plan).await?;
            let text = format!("{} is on {}.", account.email, plan_word(config, *plan));
            say(config, &text, &seen(config, &account)?)
        }
    }
}

async fn set(db: &Db, who: &str, plan: Option<Plan>) -> anyhow::Result<Account> {
    let now = SystemClock.now();
    let mut tx = db.begin().await?;
    let id = find(&mut tx, who).await?.id.0;
    let before = accounts::lock_plan(&mut tx, id).await?;
    if before.as_deref() != plan.map(Plan::as_str) {
        let word = |plan: Option<&str>| plan.unwrap_or("default").to_owned();
        let change = json!({"from": word(before.as_deref()), "to": word(plan.map(Plan::as_str))}).to_string();
        accounts::set_plan(&mut tx, id, plan).await?;
        users::record_change(&mut tx, id, "plan_changed", OPERATOR, &change, now).await?;
    }
    let account = find(&mut tx, &id.to_string()).await?;
    tx.commit().await?;
    Ok(account)
}

/// The one who is meant: whoever has verified the address goes before those who only say it is theirs.
async fn find(tx: &mut Tx<'_>, who: &str) -> anyhow::Result<Account> {
    let mut found = accounts::find(tx, who).await?;
    if let Some(verified) = found.iter().position(|account| account.email_verified) {
        return Ok(found.swap_remove(verified));
    }
    match (found.pop(), found.len()) {
        (None, _) => bail!("nobody has this address or id: segue-server users list"),
        (Some(only), 0) => Ok(only),
        (Some(_), others) => {
            bail!("{} accounts say that this is their address, and none has verified it: name an id", others + 1)
        }
    }
}

fn seen(config: &Config, account: &Account) -> anyhow::Result<Value> {
    let plan = account.plan()?;
    Ok(json!({
        "id": account.id.0.to_string(), "email": account.email, "email_verified": account.email_verified,
        "name": account.name, "owner": account.owner, "plan": plan.unwrap_or(config.plan).as_str(),
        "plan_is_default": plan.is_none(), "created_at": account.created_at.as_millis(),
    }))
}

fn plan_word(config: &Config, plan: Option<Plan>) -> String {
    plan.map_or_else(|| format!("{} (the server's plan)", config.plan), |plan| plan.to_string())
}

/// A name as it may be shown on a terminal: what could change the order or hide something is left out.
fn printable(name: &str) -> String {
    name.chars().map(|shown| if shown.is_alphanumeric() || " .'-_".contains(shown) { shown } else { '?' }).collect()
}
