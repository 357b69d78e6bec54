//! Every bound of the system, with its reason (ARCHITECTURE.md, invariant 6; SPEC S5).
//!
//! To add one: 1. a constant here whose name ends in its unit; 2. an error that names the limit and the way out;
//! 3. a test at the boundary.

/// Plain size of one segment: small enough that a few fit in memory, large enough that compression loses only 3 % to
/// whole-stream compression (measured).
pub const SEGMENT_BYTES_MAX: u32 = 4 * 1024 * 1024;
/// Plain bytes before a segment that it may be compressed with: one segment, which a reader has in memory anyway. The whole
/// file before would make an appended megabyte 5 % smaller (measured).
pub const PREFIX_BYTES_MAX: u32 = SEGMENT_BYTES_MAX;
/// Segments that may need each other's plain bytes: who reads one reads its chain.
pub const PREFIX_CHAIN_MAX: usize = 16;
/// One pack: one streamed request, resumable in reasonable pieces.
pub const PACK_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Plain size of one session, all files: above any session seen, and what a laptop's disk takes without a thought.
pub const SESSION_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Files in one bundle.
pub const BUNDLE_FILES_MAX: usize = 10_000;
/// Segments in one bundle: a 4 GiB session cut at 64 KiB on average.
pub const BUNDLE_SEGMENTS_MAX: usize = 65_536;
/// A path inside a bundle, in bytes: what every file system takes.
pub const BUNDLE_PATH_BYTES_MAX: usize = 512;
/// A sealed manifest: 65 536 segments of 89 bytes and 10 000 paths fit.
pub const MANIFEST_BYTES_MAX: u32 = 12 * 1024 * 1024;
/// A sealed preview, so that an inbox stays light (SPEC T20).
pub const PREVIEW_BYTES_MAX: usize = 8 * 1024;

/// Tokens of one person that are in use: one for each program, not one for each run.
pub const TOKENS_MAX: i64 = 100;
/// How long a token lives, in days: a year, so that a forgotten one ends.
pub const TOKEN_DAYS_MAX: u32 = 366;

/// A handoff's message, in characters (SPEC T2).
pub const MESSAGE_CHARS_MAX: usize = 2_000;
/// Why a handoff is revoked or declined, in characters (SPEC T9).
pub const REASON_CHARS_MAX: usize = 500;
/// A comment, in characters (SPEC T9).
pub const COMMENT_CHARS_MAX: usize = 10_000;
/// Comments on one handoff: a conversation fits, a flood of mails does not.
pub const COMMENTS_MAX: i64 = 10_000;
/// Lifetime of a handoff in hours when none is asked for (SPEC T2).
pub const HANDOFF_HOURS_DEFAULT: u32 = 168;
/// Time between reserve and create: sealing a large session on a slow machine fits, a forgotten one does not linger.
pub const RESERVATION_MS: i64 = 15 * 60 * 1000;
/// Lifetime of an invite: a week's holiday fits (SPEC A1).
pub const INVITE_HOURS: u32 = 14 * 24;
/// Lifetime of the owner link that the first start prints.
pub const OWNER_LINK_HOURS: u32 = 24;
/// How long a repeated Idempotency-Key gives the first answer (SPEC T18).
pub const IDEMPOTENCY_HOURS: u32 = 24;
/// An Idempotency-Key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;
/// A pack that no bundle lists is dropped after this: an upload that was given up.
pub const UNLISTED_PACK_HOURS: u32 = 24;

/// Uploads of one person that have not ended: some sessions at once, each with a few packs under way. One more drops the
/// oldest that nobody sends.
pub const PARTIAL_PACKS_MAX: usize = 32;
/// Bytes of one person's uploads that have not ended: eight full packs. More drop the oldest that nobody sends.
pub const PARTIAL_BYTES_MAX: u64 = 8 * PACK_BYTES_MAX;
/// Packs that travel inside the request for their bundle, in bytes: a small push is one round trip instead of two, and what
/// one such request holds in memory stays small beside its manifest.
pub const PACKS_INLINE_BYTES_MAX: usize = 256 * 1024;
/// A request body other than a pack: the largest manifest, envelope, preview, wraps and packs of a parcel fit.
pub const BODY_BYTES_MAX: usize = 13 * 1024 * 1024;
/// Entries on one page of a list.
pub const PAGE_ENTRIES_MAX: i64 = 100;
/// Rosters on one page of a team's chain: with all members in each, a page is a megabyte.
pub const PAGE_ROSTERS_MAX: i64 = 20;
/// Any id in a request, in bytes: longer ones get the same 404 as unknown ones.
pub const ID_BYTES_MAX: usize = 64;
/// An e-mail address, in bytes (RFC 5321 §4.5.3.1.3 less the brackets).
pub const EMAIL_BYTES_MAX: usize = 254;
/// A person's or a device's name, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// Projects that one person may have made: nobody works on more, and each holds records that nobody is charged for.
pub const PROJECTS_MAX: i64 = 100;
/// Members of one project: a department, and their list is one answer.
pub const PROJECT_MEMBERS_MAX: i64 = 200;
/// Teams of one person who begins another: others may still add them.
pub const TEAMS_MAX: i64 = 100;
/// Rosters in a team's chain: weekly changes for two centuries. After it a team can only become smaller.
pub const ROSTERS_MAX: u32 = 10_000;
/// Records of one project, deleted ones included: they stay known as deleted.
pub const RECORDS_MAX: i64 = 10_000;
/// A record's title, in characters.
pub const RECORD_TITLE_CHARS_MAX: usize = 200;
/// A record's text, in bytes: a long page; what is longer belongs into the repository.
pub const RECORD_BODY_BYTES_MAX: usize = 64 * 1024;
/// A persona's name, in characters.
pub const PERSONA_CHARS_MAX: usize = 50;
/// A wiki page's slug, in characters: a file's name everywhere.
pub const WIKI_SLUG_CHARS_MAX: usize = 255;
/// Requests a minute for one principal, before 429. A push of a full session is some 70 requests.
pub const REQUESTS_PER_MINUTE: u32 = 600;
/// An address without a valid token gets this part of what a device gets: enough to join and to look, too little to guess.
pub const ANONYMOUS_REQUESTS_PART: u32 = 5;
/// Time for one request other than a pack, without the time in which its body comes, in seconds.
pub const REQUEST_SECONDS_MAX: u64 = 30;
/// Time without a byte of a body that is announced, in seconds: a train's tunnel fits, a client that is gone does not stay.
pub const BODY_IDLE_SECONDS_MAX: u64 = 30;
/// Connections in all: the live ones of [`LIVE_STREAMS_MAX`], and as many again for requests. Each costs a descriptor and some
/// tens of KiB.
pub const CONNECTIONS_MAX: usize = 2 * LIVE_STREAMS_MAX;
/// Live streams of one process: an organisation with all its people and machines on one server.
pub const LIVE_STREAMS_MAX: usize = 2048;
/// Live streams of one account: its devices and a few agents, and one account cannot take all.
pub const ACCOUNT_STREAMS_MAX: usize = 16;
/// Time between two comments on a live stream, in seconds: below what proxies and routers keep a silent connection for.
pub const HEARTBEAT_SECONDS: u64 = 20;
/// Time in which a live stream takes nothing, in seconds, before its connection is cut: three heartbeats. Its client resumes.
pub const STALLED_SECONDS_MAX: u64 = 3 * HEARTBEAT_SECONDS;
/// Time between two looks for news and for tokens that ended, in milliseconds: a revoked token hears nothing a second later.
pub const NEWS_POLL_MS: u64 = 800;
/// News of one read: one page.
pub const NEWS_READ_MAX: i64 = 100;
/// How long news are kept for who was away, in hours: a week's holiday; whoever was away longer reads their lists again.
pub const NEWS_HOURS: u32 = 7 * 24;
/// Time for which packs and mails are not counted again for who watches the server, in seconds: it reads whole tables, and a
/// usual interval is 15.
pub const STOCK_SECONDS: u64 = 10;
/// Connections of one address, and requests at once of one behind a trusted proxy: an office behind one fits, and one address cannot take all places.
pub const ADDRESS_CONNECTIONS_MAX: usize = 64;
/// Time for a connection's TLS handshake, and then until the head of its first request is there, in seconds: a phone on a
/// bad line makes it, one who sends nothing does not stay.
pub const HEAD_SECONDS_MAX: u64 = 10;
/// Time without a request on a connection, in seconds: the commands of one sitting and a proxy's pool find it open.
pub const IDLE_SECONDS_MAX: u64 = 90;
/// Time between two HTTP/2 pings, in seconds: below what most routers keep a silent connection for.
pub const PING_SECONDS: u64 = 20;
/// Time to answer an HTTP/2 ping, in seconds: the slowest line that an upload still gets through answers sooner.
pub const PONG_SECONDS_MAX: u64 = 20;
/// Time that open requests get when the server stops, in seconds.
pub const DRAIN_SECONDS_MAX: u64 = 20;

/// Mails to one address in an hour: an active day of a small team fits, a flood waits.
pub const MAILS_PER_HOUR: i64 = 60;
/// How often a mail is offered before it is given up: with the waits below, about two days, as mail servers do.
pub const MAIL_ATTEMPTS_MAX: i64 = 20;
/// Wait after the first failed attempt to send a mail, in milliseconds; each further one waits twice as long.
pub const MAIL_RETRY_MS: i64 = 30_000;
/// Longest wait between two attempts, in milliseconds: a server that comes back is met within hours.
pub const MAIL_RETRY_MS_MAX: i64 = 4 * 60 * 60 * 1000;
/// Time for handing one mail on, in seconds: as long as a stop may take.
pub const MAIL_SECONDS_MAX: u64 = DRAIN_SECONDS_MAX;
/// How long a mail belongs to the process that took it, in milliseconds: well above the time to hand it on.
pub const MAIL_LEASE_MS: i64 = 120_000;
/// How long a mail that was given up is kept for its operator, in hours.
pub const DEAD_MAIL_HOURS: u32 = 30 * 24;
/// Mails in the folder that they are written to while no SMTP server is named: more than one looks through.
pub const MAIL_FILES_MAX: usize = 1_000;
/// Mails by which one person invites others in a day: a large team's first day fits, a spammer's does not.
pub const INVITE_MAILS_PER_DAY: i64 = 100;
/// Sign-ups from one network address in an hour: an office's first morning fits.
pub const SIGN_UPS_PER_HOUR: i64 = 30;
/// Recovery codes that one network address may try in an hour. None is guessed in 2^160: this is for the database's sake.
pub const RECOVERIES_PER_HOUR: i64 = 30;
/// Bytes of a sealed keyring: 512 older roots and room for what it may hold beside them.
pub const KEYRING_BYTES_MAX: usize = 64 * 1024;
/// Events of one's devices in one page.
pub const PAGE_DEVICE_EVENTS_MAX: i64 = 100;
/// Key cards in one page: each is below 10 KiB.
pub const PAGE_CARDS_MAX: i64 = 20;
/// Codes that one account may ask for in an hour: each is a mail.
pub const CODES_PER_HOUR: i64 = 5;
/// Wrong tries that burn a code.
pub const CODE_TRIES_MAX: i64 = 5;
/// Lifetime of a code, in hours: slow mail arrives, an old mail is of no use.
pub const CODE_HOURS: u32 = 1;

/// Lifetime of a pairing code in seconds when the operator says nothing: time to find the other device and to type (SPEC D8).
pub const PAIRING_SECONDS_DEFAULT: u32 = 300;
/// Shortest lifetime that an operator may set: ten symbols are typed in it, slowly.
pub const PAIRING_SECONDS_MIN: u32 = 60;
/// Longest lifetime that an operator may set: a code that lies about is a code that somebody finds.
pub const PAIRING_SECONDS_MAX: u32 = 900;
/// How long a confirmation stops a pairing's clock, so that an approval cannot die under it (SPEC D8).
pub const PAIRING_APPROVAL_MS: i64 = 60_000;
/// How long one destination may keep a pairing to itself before it confirms: the client computes in milliseconds, so this is
/// a bad line's time, and what somebody who only blocks must come back after.
pub const PAIRING_LEASE_MS: i64 = 30_000;
/// Wrong confirmations that burn a code, over both methods together: 3 of 2^25 (SPEC D7).
pub const PAIRING_GUESSES_MAX: u8 = 3;
/// How long after a claim a view or its backfill may still be fetched: a phone that lost its line takes up again (SPEC D10).
pub const PAIRING_DELIVERY_MS: i64 = 60 * 60 * 1000;
/// How long a pairing is remembered without content, for a reason that stays the same; its nameplate is not used again
/// before (SPEC D10).
pub const PAIRING_TOMBSTONE_HOURS: u32 = 24;
/// Codes that one account may show in an hour: a day of tries in a minute's loop does not use up the nameplates.
pub const PAIRINGS_PER_HOUR: i64 = 200;
/// Nameplates that are drawn before a code is refused: with a tenth of all in use, twenty of them are taken once in 10^20.
pub const NAMEPLATE_DRAWS_MAX: u32 = 20;
/// Leases that an address, or a device, gets in the time of this many requests: who types codes does so slowly, who tries
/// nameplates by chance meets a code that is shown with some 10^-6 for each.
pub const REQUESTS_PER_LEASE: u32 = 5;
/// The sealed bytes of an acknowledgement: 32 and a tag.
pub const ACKNOWLEDGEMENT_BYTES: usize = 48;
/// Burned codes within [`PAIRING_BURNED_MS`] after which none is shown without being asked for.
pub const PAIRING_BURNED_MAX: usize = 2;
/// The time in which burned codes count together, in milliseconds.
pub const PAIRING_BURNED_MS: i64 = 10 * 60 * 1000;
