//! What is checked of a sealed bundle before anything of it is stored. Pure: the body and the sender's key card come in,
//! and everything the server will know of the bundle comes out of its signed bytes.

use std::collections::HashSet;

use bytes::Bytes;
use segue_api::{Code, sessions::Card};
use segue_domain::{
    BundleId, PackId, PairingId, SessionId,
    limits::{MANIFEST_BYTES_MAX, MESSAGE_CHARS_MAX, PACK_BYTES_MAX, PREVIEW_BYTES_MAX},
};
use segue_signed::{
    BundleKind, Envelope, Header, KeyCard, PackEntry, SignedEnvelope, Wrap, WrapKind, sha256, wrap::OWN_KEY_FP,
};

use crate::{failure::Failure, parcel::Sent, principal::Principal, provenance, store::packs::Pack};

/// Epoch of the key that wraps the bundle of a pairing: there is only one.
const PAIRING_WRAP_EPOCH: u32 = 1;

/// A bundle that may be stored.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// Verified against the sender's key card.
    pub(crate) signed: SignedEnvelope,
    /// The sealed manifest, as the envelope says.
    pub(crate) manifest: Bytes,
    /// The sealed preview, as the envelope says.
    pub(crate) preview: Option<Bytes>,
    /// At most one for each recipient and one for the sender, each for whom it says.
    pub(crate) wraps: Vec<Wrap>,
    /// The sender's session.
    pub(crate) session: SessionId,
    /// Packs that came along, as the envelope says.
    pub(crate) packs: Vec<(Pack, Bytes)>,
}

impl Admitted {
    /// The signed content.
    pub(crate) fn envelope(&self) -> &Envelope {
        &self.signed.envelope
    }

    /// The signed header.
    pub(crate) fn header(&self) -> &Header {
        &self.signed.envelope.header
    }

    /// The bundle's id.
    pub(crate) fn id(&self) -> BundleId {
        BundleId::from_bytes(self.header().bundle_id)
    }

    /// Position in the session's chain; the codec keeps it far below the end of `i64`.
    pub(crate) fn seq(&self) -> i64 {
        i64::try_from(self.header().seq).unwrap_or(i64::MAX)
    }
}

/// Admits a snapshot: one wrap, for oneself.
pub(crate) fn snapshot(body: Sent, principal: &Principal, card: &KeyCard) -> Result<Admitted, Failure> {
    let admitted = admit(body, principal, card, BundleKind::Snapshot, &own(principal, card))?;
    match admitted.wraps.as_slice() {
        [_] => Ok(admitted),
        _ => Err(Failure::invalid("A snapshot has exactly one wrap: the sender's own.")),
    }
}

/// Admits a handoff: one wrap for each recipient of the envelope, and at most one for oneself, so that the sender may
/// still open the preview.
pub(crate) fn handoff(body: Sent, principal: &Principal, card: &KeyCard) -> Result<Admitted, Failure> {
    let admitted = admit(body, principal, card, BundleKind::Handoff, &own(principal, card))?;
    let address = |wrap: &&Wrap| wrap.kind != WrapKind::Own;
    let others = admitted.wraps.iter().filter(address).count();
    let recipients = &admitted.header().recipients;
    let each = recipients.iter().all(|recipient| {
        let fits = |wrap: &Wrap| {
            (wrap.kind, &wrap.id, wrap.key_fp, wrap.epoch)
                == (recipient.kind, &recipient.id, recipient.key_fp, recipient.epoch)
        };
        admitted.wraps.iter().any(fits)
    });
    if each && others == recipients.len() {
        return Ok(admitted);
    }
    Err(Failure::invalid("A handoff has exactly one wrap for each recipient in its envelope."))
}

/// Admits the bundle of a pairing: one wrap, under a key that only the sealed view holds.
pub(crate) fn device(
    body: Sent,
    principal: &Principal,
    card: &KeyCard,
    pairing: PairingId,
) -> Result<Admitted, Failure> {
    let owner = (pairing.to_string(), PAIRING_WRAP_EPOCH);
    let admitted = admit(body, principal, card, BundleKind::Device, &owner)?;
    let header = admitted.header();
    if header.handoff_id != owner.0 || !header.recipients.is_empty() {
        return Err(Failure::invalid("The bundle of a pairing names it, and has no recipient."));
    }
    match admitted.wraps.as_slice() {
        [wrap] if wrap.kind == WrapKind::Own => Ok(admitted),
        _ => Err(Failure::invalid("The bundle of a pairing has exactly one wrap: the pairing's own.")),
    }
}

fn admit(
    body: Sent,
    principal: &Principal,
    card: &KeyCard,
    kind: BundleKind,
    owner: &(String, u32),
) -> Result<Admitted, Failure> {
    let signed = SignedEnvelope::parse(&body.envelope)?;
    let header = &signed.envelope.header;
    if header.kind != kind {
        return Err(Failure::invalid(format!("This route takes a {}, not a {}.", kind.as_str(), header.kind.as_str())));
    }
    if header.sender_id != principal.user.to_string() || Some(header.device_key) != principal.device_key() {
        return Err(Failure::new(Code::Unverified, "The envelope was not made by the device that sends it."));
    }
    signed.verify(card)?;
    let session = header.session_id.parse().map_err(|_| Failure::invalid("The envelope names no session."))?;
    check_header(header)?;
    check_content(&signed.envelope, &body)?;
    check_wraps(&body.wraps, owner)?;
    let packs = check_packs(&signed.envelope, body.packs, principal)?;
    Ok(Admitted { signed, manifest: body.manifest, preview: body.preview, wraps: body.wraps, session, packs })
}

fn check_header(header: &Header) -> Result<(), Failure> {
    if header.message.chars().count() > MESSAGE_CHARS_MAX {
        return Err(
            Failure::invalid(format!("The message is longer than {MESSAGE_CHARS_MAX} characters.")).or("Shorten it.")
        );
    }
    let refers = !header.ticket.is_empty() || !header.persona.is_empty() || !header.attachments.is_empty();
    if refers && header.kind != BundleKind::Handoff {
        return Err(Failure::invalid("Only a handoff names a ticket, a persona or attachments."));
    }
    provenance::check_kinds(header)
}

fn check_content(envelope: &Envelope, body: &Sent) -> Result<(), Failure> {
    let manifest = &body.manifest;
    if manifest.len() > MANIFEST_BYTES_MAX as usize {
        return Err(Failure::too_large("manifest", u64::from(MANIFEST_BYTES_MAX))
            .or("The session has too many files: push it without some of them."));
    }
    if manifest.len() != envelope.manifest_len as usize || sha256(manifest) != envelope.manifest_hash {
        return Err(Failure::invalid("The manifest is not the one that the envelope names."));
    }
    let preview = body.preview.as_deref();
    if preview.is_some_and(|preview| preview.len() > PREVIEW_BYTES_MAX) {
        return Err(Failure::too_large("preview", PREVIEW_BYTES_MAX as u64).or("Seal a shorter one."));
    }
    if preview.map(sha256) != envelope.preview_hash {
        return Err(Failure::invalid("The preview is not the one that the envelope names."));
    }
    if envelope.packs.iter().any(|pack| pack.len == 0 || pack.len > PACK_BYTES_MAX) {
        return Err(Failure::invalid(format!("A pack has 1 to {PACK_BYTES_MAX} bytes.")));
    }
    Ok(())
}

/// Packs that travel along are exactly what the envelope says of them.
fn check_packs(
    envelope: &Envelope,
    packs: Vec<(PackId, Bytes)>,
    principal: &Principal,
) -> Result<Vec<(Pack, Bytes)>, Failure> {
    let named = |(id, bytes): (PackId, Bytes)| {
        let pack = Pack { owner: principal.user, id, sha256: sha256(&bytes), len: bytes.len() as u64 };
        let fits = |entry: &&PackEntry| {
            (PackId::from_bytes(entry.id), entry.sha256, entry.len) == (pack.id, pack.sha256, pack.len)
        };
        envelope.packs.iter().find(fits).map(|_| (pack, bytes))
    };
    let named: Option<Vec<_>> = packs.into_iter().map(named).collect();
    named.ok_or_else(|| Failure::invalid("A pack inside the parcel is not one that the envelope names."))
}

fn check_wraps(wraps: &[Wrap], owner: &(String, u32)) -> Result<(), Failure> {
    let addresses: HashSet<_> = wraps.iter().map(|wrap| (wrap.kind.as_str(), wrap.id.as_str())).collect();
    if addresses.len() != wraps.len() {
        return Err(Failure::invalid("Two wraps are for the same recipient."));
    }
    for own in wraps.iter().filter(|wrap| wrap.kind == WrapKind::Own) {
        check_owner(own, owner)?;
    }
    Ok(())
}

/// Checks that a wrap is a person's own one, under their current keys.
pub(crate) fn check_own(wrap: &Wrap, principal: &Principal, card: &KeyCard) -> Result<(), Failure> {
    check_owner(wrap, &own(principal, card))
}

/// Who an own-wrap is for, and under which epoch.
fn own(principal: &Principal, card: &KeyCard) -> (String, u32) {
    (principal.user.to_string(), card.epoch)
}

fn check_owner(wrap: &Wrap, (id, epoch): &(String, u32)) -> Result<(), Failure> {
    if wrap.kind != WrapKind::Own || wrap.id != *id {
        return Err(Failure::invalid("An own wrap is for the one who stores it."));
    }
    if (wrap.key_fp, wrap.epoch) == (OWN_KEY_FP, *epoch) { Ok(()) } else { Err(stale_key()) }
}

/// A wrap for a key that is no longer its recipient's: nothing is stored that nobody could open.
pub(crate) fn stale_key() -> Failure {
    Failure::new(Code::StaleKey, "The bundle is locked for a key that is no longer its recipient's.")
        .or("Fetch the recipient's key card again, and seal again.")
}

/// The card as it crosses HTTP.
pub(crate) fn public_card(card: &segue_signed::Card) -> Card {
    Card {
        tool: card.tool.clone(),
        model: card.model.clone(),
        title: card.title.clone(),
        git_remote: card.git_remote.clone(),
        git_branch: card.git_branch.clone(),
        user_messages: card.user_messages,
        assistant_messages: card.assistant_messages,
        tool_calls: card.tool_calls,
        bytes: i64::try_from(card.bytes).unwrap_or(i64::MAX),
        updated_at: i64::try_from(card.updated_at).unwrap_or(i64::MAX),
    }
}
