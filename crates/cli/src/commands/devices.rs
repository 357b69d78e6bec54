//! `segue devices`: what may use the account, and removing one of them (SPEC A3, A5).

mod remove;

use segue_api::devices::Device;
use serde_json::{Value, json};

use crate::{
    account::Account,
    args,
    commands::list::day,
    error::{CliError, Result},
    home::Home,
    output::Output,
    remote::Remote,
    untrusted::Untrusted,
};

/// Lists, or removes.
pub(super) fn run(options: &args::Devices, output: &Output) -> Result<()> {
    match &options.command {
        Some(args::DevicesCommand::Remove { device }) => remove::run(device, output),
        None => list(options.all, output),
    }
}

fn list(all: bool, output: &Output) -> Result<()> {
    let account = Account::load(&Home::find()?)?;
    let devices = known(&account, &Remote::signed_in(&account)?)?;
    let shown: Vec<_> = devices.iter().filter(|device| all || device.removed_at.is_none()).collect();
    let lines: Vec<_> = shown.iter().map(|device| line(device)).collect();
    let hidden = devices.len() - shown.len();
    let more = if hidden > 0 { format!("\n{hidden} removed: segue devices --all") } else { String::new() };
    let value = json!({"devices": shown.into_iter().map(to_json).collect::<Vec<_>>()});
    output.answer(lines.join("\n") + &more, value)
}

/// The devices of the signed card, with the names that the server has for them. Nobody else's word counts on what there is.
pub(super) fn known(account: &Account, remote: &Remote) -> Result<Vec<Device>> {
    let said = remote.devices()?;
    let card = account.key_card()?;
    if said.key_card.0 != card.encode() {
        return Err(CliError::verification("the server shows another key card of yours than is known here")
            .hint("Compare segue whoami on your devices, and tell whoever runs the server."));
    }
    let named = |id: &str| said.devices.iter().find(|device| device.device_id == id).map(|device| device.name.clone());
    let device = |device: &segue_signed::Device| Device {
        name: named(&device.id).unwrap_or_default(),
        kind: device.kind.as_str().to_owned(),
        this: device.id == account.device_id,
        added_at: millis(device.added_at),
        removed_at: device.revoked_at.map(millis),
        device_id: device.id.clone(),
    };
    Ok(card.card.devices.iter().map(device).collect())
}

fn millis(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn line(device: &Device) -> String {
    let state = match device.removed_at {
        Some(at) => format!("removed {}", day(at)),
        None if device.this => "this one".to_owned(),
        None => String::new(),
    };
    let name = Untrusted(&device.name).short(40);
    let text =
        format!("{}  {:5}  {}  {name:24}  {state}", Untrusted(&device.device_id), device.kind, day(device.added_at));
    text.trim_end().to_owned()
}

fn to_json(device: &Device) -> Value {
    json!({
        "device_id": device.device_id, "name": device.name, "kind": device.kind, "this": device.this,
        "added_at": device.added_at, "removed_at": device.removed_at,
    })
}
