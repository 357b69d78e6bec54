//! Two people, a store of packs in memory, and a session that goes from one to the other.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Cursor},
    path::Path,
    sync::Arc,
};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use segue_bundle::{
    Compression, Contents, Draft, DraftError, Expected, FileMode, Heading, OpenedBundle, Owner, PackSink, PackSource,
    ReadSeek, Reader, SealedBundle, SourceFile, VerifiedEnvelope, draft, open::VerifyError, seal_bundle, unpack,
    verify_envelope,
};
use segue_crypto::{DeviceKey, EpochKeys, RecipientKey, UserRoot};
use segue_signed::{BundleKind, Card, Device, DeviceKind, KeyCard, PackEntry, WrapKind};

pub(crate) const NOW: u64 = 1_790_000_000_000;
pub(crate) const HANDOFF: &str = "hnd_00000000000000000000000001";
pub(crate) const SESSION: &str = "ses_00000000000000000000000001";

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A person with one full device.
pub(crate) struct Person {
    pub(crate) id: &'static str,
    pub(crate) keys: EpochKeys,
    pub(crate) device: DeviceKey,
}

impl Person {
    pub(crate) fn new(id: &'static str, seed: u8) -> Self {
        let keys = UserRoot::from_bytes([seed; 32]).epoch(1);
        Self { id, keys, device: DeviceKey::from_bytes(&[seed ^ 0x80; 32]) }
    }

    /// The verified card that others have of this person.
    pub(crate) fn card(&self) -> KeyCard {
        KeyCard {
            user_id: self.id.into(),
            seq: 1,
            previous: None,
            identity_key: self.keys.identity.public(),
            encryption_key: self.keys.encryption.public(),
            epoch: 1,
            devices: vec![Device {
                id: "dev_1".into(),
                key: self.device.public(),
                kind: DeviceKind::Full,
                added_at: NOW,
                revoked_at: None,
            }],
            keyring_version: 0,
            keyring_hash: None,
            created_at: NOW,
        }
    }

    pub(crate) fn owner(&self) -> Owner<'_> {
        Owner { key: &self.keys.owner, user_id: self.id, epoch: 1 }
    }

    pub(crate) fn recipient(&self) -> RecipientKey {
        RecipientKey { kind: WrapKind::User, id: self.id.into(), public_key: self.keys.encryption.public(), epoch: 1 }
    }

    pub(crate) fn heading(&self, kind: BundleKind) -> Heading {
        let handoff = kind == BundleKind::Handoff;
        Heading {
            kind,
            handoff_id: if handoff { HANDOFF.into() } else { String::new() },
            revision: 0,
            session_id: SESSION.into(),
            seq: 1,
            parent: None,
            sender_id: self.id.into(),
            identity_key: self.keys.identity.public(),
            author_id: self.id.into(),
            card: Card::default(),
            message: if handoff { "over to you".into() } else { String::new() },
            ticket: String::new(),
            persona: String::new(),
            attachments: Vec::new(),
            created_at: NOW,
            not_after: if handoff { NOW + 1000 } else { 0 },
            directory_head: None,
        }
    }
}

pub(crate) fn ann() -> Person {
    Person::new("usr_ann", 1)
}

pub(crate) fn ben() -> Person {
    Person::new("usr_ben", 2)
}

/// Packs by id.
#[derive(Default, Clone)]
pub(crate) struct Store {
    pub(crate) packs: BTreeMap<[u8; 16], Vec<u8>>,
    /// What it says of itself.
    pub(crate) backlog: u64,
    open: Vec<u8>,
}

impl PackSink for Store {
    fn backlog(&self) -> u64 {
        self.backlog
    }

    fn begin(&mut self, _id: [u8; 16]) -> io::Result<()> {
        assert!(self.open.is_empty());
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.open.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self, entry: PackEntry) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.open);
        assert_eq!((bytes.len() as u64, segue_signed::sha256(&bytes)), (entry.len, entry.sha256));
        assert!(self.packs.insert(entry.id, bytes).is_none());
        Ok(())
    }
}

impl Store {
    pub(crate) fn source(&self, contents: &Contents) -> Shelf {
        Shelf(contents.packs().iter().map(|pack| self.packs[&pack.id].as_slice().into()).collect())
    }
}

/// The packs of one bundle, in order.
pub(crate) struct Shelf(pub(crate) Vec<Arc<[u8]>>);

impl PackSource for Shelf {
    fn open(&self, index: usize) -> io::Result<Box<dyn ReadSeek>> {
        Ok(Box::new(Cursor::new(Arc::clone(&self.0[index]))))
    }
}

/// Files by path: a session on disk.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) fn files(entries: &[(&str, &[u8])]) -> Files {
    entries.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect()
}

pub(crate) fn sources(files: &Files) -> Vec<SourceFile<'_>> {
    files
        .iter()
        .map(|(path, bytes)| {
            let compression = if path.ends_with("view.jsonl") { Compression::Gzip } else { Compression::Zstd };
            SourceFile {
                path: path.clone(),
                mode: FileMode::Plain,
                compression,
                len: bytes.len() as u64,
                trusted: 0,
                open: Box::new(move |start| Ok(Box::new(&bytes[usize::try_from(start).unwrap()..]))),
            }
        })
        .collect()
}

pub(crate) fn draft_files(
    seed: u64,
    files: &Files,
    before: Option<&Contents>,
    store: &mut Store,
) -> Result<Draft, DraftError> {
    draft(&mut rng(seed), sources(files), before, store)
}

/// Ann hands `contents` to Ben.
pub(crate) fn hand_over(seed: u64, contents: &Contents) -> SealedBundle {
    let heading = ann().heading(BundleKind::Handoff);
    let ben = [ben().recipient()];
    seal_bundle(&mut rng(seed), contents, heading, &ann().device, Some(b"{}"), &ben, Some(ann().owner())).unwrap()
}

/// What Ben asks for.
pub(crate) fn expected() -> Expected<'static> {
    Expected {
        kind: BundleKind::Handoff,
        handoff_id: HANDOFF,
        session_id: Some(SESSION),
        reader: Reader::Recipient { kind: WrapKind::User, id: "usr_ben" },
        now: Some(NOW),
        seq_min: 0,
        revision_min: 0,
    }
}

pub(crate) fn verify(bytes: &[u8]) -> Result<VerifiedEnvelope, VerifyError> {
    verify_envelope(bytes, &ann().card(), &expected())
}

/// Ben opens what Ann sealed.
pub(crate) fn receive(sealed: &SealedBundle) -> OpenedBundle {
    verify(sealed.envelope.as_bytes()).unwrap().unwrap(&ben().keys.encryption, &sealed.wraps[0]).unwrap()
}

/// Bytes that no codec makes smaller (xorshift64, Marsaglia 2003): fast without optimisation.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ len as u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Reads an unpacked directory back.
pub(crate) fn read_dir(root: &Path) -> Files {
    let mut found = Files::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Unpacks into a fresh directory and reads it back; on an error, checks that nothing is left.
pub(crate) fn unpack_files(contents: &Contents, packs: &dyn PackSource) -> Result<Files, segue_bundle::UnpackError> {
    let home = tempfile::tempdir().unwrap();
    let dest = home.path().join("session");
    let result = unpack(&mut rng(99), contents, packs, &dest);
    let left: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    match result {
        Ok(()) => {
            assert_eq!(left, ["session"]);
            Ok(read_dir(&dest))
        }
        Err(error) => {
            assert!(left.is_empty(), "left behind: {left:?}");
            Err(error)
        }
    }
}
