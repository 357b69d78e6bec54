//! Plans: what a person may do and how much they may keep (SPEC T17). Self-hosted servers start everybody on `team`.

use std::{fmt, str::FromStr};

use crate::{Timestamp, limits::HANDOFF_HOURS_DEFAULT};

/// A plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Plan {
    /// Handoffs to people.
    Free,
    /// Also to one's own devices.
    Pro,
    /// Also to teams.
    #[default]
    Team,
    /// Also longer lifetimes.
    Enterprise,
}

/// Something a plan includes or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entitlement {
    /// Hand a session to a person.
    Handoff,
    /// Hand a session to one's own device.
    DeviceHandoff,
    /// Hand a session to a team.
    TeamHandoff,
}

impl Entitlement {
    /// The word in `upgrade_required` and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handoff => "handoff",
            Self::DeviceHandoff => "device_handoff",
            Self::TeamHandoff => "team_handoff",
        }
    }
}

impl Plan {
    /// All plans, smallest first.
    pub const ALL: [Self; 4] = [Self::Free, Self::Pro, Self::Team, Self::Enterprise];

    /// The word in the configuration and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Team => "team",
            Self::Enterprise => "enterprise",
        }
    }

    /// Whether the plan includes `entitlement`.
    pub fn includes(self, entitlement: Entitlement) -> bool {
        let smallest = match entitlement {
            Entitlement::Handoff => Self::Free,
            Entitlement::DeviceHandoff => Self::Pro,
            Entitlement::TeamHandoff => Self::Team,
        };
        self >= smallest
    }

    /// The longest lifetime of a handoff, in hours.
    pub fn handoff_hours_max(self) -> u32 {
        match self {
            Self::Free | Self::Pro | Self::Team => 720,
            Self::Enterprise => 2_160,
        }
    }

    /// Sealed bytes that a person may keep.
    pub fn storage_bytes_max(self) -> u64 {
        const GIB: u64 = 1024 * 1024 * 1024;
        match self {
            Self::Free => GIB,
            Self::Pro => 20 * GIB,
            Self::Team => 100 * GIB,
            Self::Enterprise => 1_000 * GIB,
        }
    }

    /// When a handoff created `now` ends: what was asked for, silently clamped to the plan's ceiling (SPEC T2).
    ///
    /// # Errors
    /// When less than one hour is asked for.
    pub fn grant(self, now: Timestamp, hours: Option<u32>) -> Result<Timestamp, TooShort> {
        let hours = hours.unwrap_or(HANDOFF_HOURS_DEFAULT);
        if hours < 1 { Err(TooShort) } else { Ok(now.plus_hours(hours.min(self.handoff_hours_max()))) }
    }
}

/// A handoff must live at least one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a handoff must live at least one hour")]
pub struct TooShort;

/// A word that is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such plan: the plans are free, pro, team and enterprise")]
pub struct UnknownPlan;

impl FromStr for Plan {
    type Err = UnknownPlan;

    fn from_str(text: &str) -> Result<Self, UnknownPlan> {
        Self::ALL.into_iter().find(|plan| plan.as_str() == text).ok_or(UnknownPlan)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_clamped_to_the_plan() {
        let now = Timestamp::from_millis(0);
        assert_eq!(Plan::Team.grant(now, Some(800)), Ok(now.plus_hours(720)));
        assert_eq!(Plan::Enterprise.grant(now, Some(u32::MAX)), Ok(now.plus_hours(2_160)));
        assert_eq!(Plan::Free.grant(now, None), Ok(now.plus_hours(168)));
        assert_eq!(Plan::Free.grant(now, Some(0)), Err(TooShort));
    }

    #[test]
    fn each_plan_includes_what_the_smaller_ones_do() {
        let row = |plan: Plan| {
            [Entitlement::Handoff, Entitlement::DeviceHandoff, Entitlement::TeamHandoff].map(|what| plan.includes(what))
        };
        assert_eq!(Plan::ALL.map(row), [[true, false, false], [true, true, false], [true; 3], [true; 3]]);
    }
}
