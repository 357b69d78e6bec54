//! The roster: who is in a team, signed by an admin's device (`docs/protocol.md` §2, Teams). Rosters form a linear chain.
//!
//! The id of a team is a hash of its first roster, so whoever knows the id knows who began the team and with whom.

use crate::{
    Malformed, Unverified,
    keycard::ID_MAX,
    lv::{Reader, Writer, lv_cat},
    sha256,
    sig::strong_x25519,
};

mod chain;
mod signed;

pub use chain::{Chain, RosterRefused};
pub use signed::SignedRoster;

/// Most members of a team: a department fits, and a roster stays some tens of kilobytes.
pub const MEMBERS_MAX: usize = 500;
/// Longest word for a role, in bytes.
const ROLE_MAX: usize = 16;

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberRole {
    /// Signs the next roster.
    Admin,
    /// Claims.
    Member,
}

impl MemberRole {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    fn parse(text: &str) -> Result<Self, Malformed> {
        match text {
            "admin" => Ok(Self::Admin),
            "member" => Ok(Self::Member),
            _ => Err(Malformed::Unknown("member role")),
        }
    }
}

/// `IK_fp` = SHA-256(`lv_cat("segue/ik/1", IK)`): the identity key that a membership is bound to.
pub fn identity_fingerprint(identity_key: &[u8; 32]) -> [u8; 32] {
    sha256(&lv_cat(&[b"segue/ik/1", identity_key]))
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The person, `usr_…`.
    pub user_id: String,
    /// [`identity_fingerprint`] of their identity key.
    pub identity_fp: [u8; 32],
    /// What they may do.
    pub role: MemberRole,
}

impl Member {
    fn encode(&self) -> Vec<u8> {
        Writer::default().text(&self.user_id).bytes(&self.identity_fp).text(self.role.as_str()).finish()
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let member = Self {
            user_id: reader.text("member user", ID_MAX)?.to_owned(),
            identity_fp: reader.array("member identity")?,
            role: MemberRole::parse(reader.text("member role", ROLE_MAX)?)?,
        };
        reader.finish("member")?;
        Ok(member)
    }
}

/// A roster without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// The team: [`Roster::first_id`] of the first roster.
    pub team_id: [u8; 16],
    /// Position in the chain, from 1.
    pub version: u32,
    /// SHA-256 of the roster before, absent on the first.
    pub previous: Option<[u8; 32]>,
    /// Counts the team's keys, from 1.
    pub epoch: u32,
    /// The team's public key of that epoch, X25519.
    pub team_key: [u8; 32],
    /// By user id, ascending, nobody twice. Nobody at all: the team is dissolved.
    pub members: Vec<Member>,
}

impl Roster {
    const LABEL: &'static str = "segue/roster/1";

    /// The id that a team gets which `signer_id` begins with this key and these members: the first 16 bytes of
    /// SHA-256(`lv_cat("segue/team/1", signer_id, TK_pub, members[…])`).
    pub fn first_id(signer_id: &str, team_key: &[u8; 32], members: &[Member]) -> [u8; 16] {
        let hash = sha256(
            &Writer::labelled("segue/team/1").text(signer_id).bytes(team_key).list(members, Member::encode).finish(),
        );
        std::array::from_fn(|index| hash[index])
    }

    /// The roster as bytes, without signature.
    pub fn encode(&self) -> Vec<u8> {
        Writer::labelled(Self::LABEL)
            .bytes(&self.team_id)
            .u32(self.version)
            .optional(self.previous.as_ref().map(<[u8; 32]>::as_slice))
            .u32(self.epoch)
            .bytes(&self.team_key)
            .list(&self.members, Member::encode)
            .finish()
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.label(Self::LABEL)?;
        let roster = Self {
            team_id: reader.array("team")?,
            version: reader.u32("roster version")?,
            previous: reader.optional_array("roster previous")?,
            epoch: reader.u32("team epoch")?,
            team_key: reader.array("team key")?,
            members: reader.list("members", MEMBERS_MAX, Member::parse)?,
        };
        let ascending = roster.members.windows(2).all(|pair| pair[0].user_id < pair[1].user_id);
        if ascending { Ok(roster) } else { Err(Malformed::Field("members")) }
    }

    /// SHA-256 of the roster, which the next one names.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.encode())
    }

    /// A member by their id.
    pub fn member(&self, user_id: &str) -> Option<&Member> {
        let found = self.members.binary_search_by(|member| member.user_id.as_str().cmp(user_id));
        found.ok().and_then(|index| self.members.get(index))
    }

    /// Whether the team has ended. Nothing follows.
    pub fn is_dissolved(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether the holder of this identity key, under this id, signs the next roster.
    pub fn is_admin(&self, user_id: &str, identity_fp: &[u8; 32]) -> bool {
        let holds = |member: &Member| member.role == MemberRole::Admin && member.identity_fp == *identity_fp;
        self.member(user_id).is_some_and(holds)
    }

    /// Whether somebody of `before` is not in this roster, or is with another identity key: then the team key of `before`
    /// is known to somebody whom it must not be known to.
    pub fn leaves_out(&self, before: &Self) -> bool {
        let stays = |old: &Member| self.member(&old.user_id).is_some_and(|new| new.identity_fp == old.identity_fp);
        !before.members.iter().all(stays)
    }

    fn has_admin(&self) -> bool {
        self.members.iter().any(|member| member.role == MemberRole::Admin)
    }

    /// That this begins a team, signed by `signer_id`.
    fn begins(&self, signer_id: &str) -> Result<(), RosterRefused> {
        strong_x25519(&self.team_key).map_err(RosterRefused::from)?;
        let id = Self::first_id(signer_id, &self.team_key, &self.members);
        let first = self.version == 1 && self.previous.is_none() && self.epoch == 1 && self.team_id == id;
        if first { Ok(()) } else { Err(Unverified::Chain.into()) }
    }

    /// That this may come after `before`, whoever signs it.
    fn follows(&self, before: &Self) -> Result<(), RosterRefused> {
        let linked = self.team_id == before.team_id
            && Some(self.version) == before.version.checked_add(1)
            && self.previous == Some(before.hash());
        if !linked {
            return Err(Unverified::Chain.into());
        }
        if before.is_dissolved() {
            return Err(RosterRefused::Dissolved);
        }
        strong_x25519(&self.team_key).map_err(RosterRefused::from)?;
        let same_key = self.epoch == before.epoch && self.team_key == before.team_key;
        let next_key = Some(self.epoch) == before.epoch.checked_add(1) && self.team_key != before.team_key;
        // Nobody is left whom a fresh key could be for.
        let new_key_needed = !self.is_dissolved() && self.leaves_out(before);
        if !(if new_key_needed { next_key } else { same_key }) {
            return Err(RosterRefused::Epoch);
        }
        if self.is_dissolved() || self.has_admin() { Ok(()) } else { Err(RosterRefused::NoAdmin) }
    }
}
