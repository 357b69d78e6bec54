//! The routes of one's devices and of the way back.

use reqwest::Method;
use segue_api::{
    account::Account,
    devices::{Changes, Devices, NewCode, OpenRecovery, Recover, Recovery, Renew},
};

use super::Remote;
use crate::error::Result;

impl Remote {
    /// One's devices.
    pub fn devices(&self) -> Result<Devices> {
        self.get("api/v1/devices")
    }

    /// What this device missed after a key card and an event, one page.
    pub fn device_changes(&self, card: u32, event: i64) -> Result<Changes> {
        self.get(&format!("api/v1/devices/changes?card={card}&event={event}"))
    }

    /// Begins a new epoch without some devices.
    pub fn renew(&self, body: &Renew) -> Result<Account> {
        self.post("api/v1/devices/removals", body)
    }

    /// What a recovery code opens.
    pub fn open_recovery(&self, body: &OpenRecovery) -> Result<Recovery> {
        self.post("api/v1/recovery/open", body)
    }

    /// Becomes a device with the recovery code.
    pub fn recover(&self, body: &Recover) -> Result<Account> {
        self.post("api/v1/recovery", body)
    }

    /// Takes another recovery code.
    pub fn new_recovery_code(&self, body: &NewCode) -> Result<()> {
        self.send(&Method::PUT, "api/v1/account/recovery", body).map(drop)
    }
}
