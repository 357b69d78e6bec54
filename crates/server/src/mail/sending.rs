//! The worker that sends what waits in the outbox, one mail at a time.

use std::sync::Arc;

use anyhow::Context as _;
use data_encoding::BASE64URL_NOPAD;
use lettre::{
    Message,
    message::{Mailbox, MultiPart, header},
};
use segue_domain::{InviteId, Timestamp, UserId, limits};
use segue_signed::sha256;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    letter::Letter,
    order::{Join, Order},
    plain,
    transport::{Transport, Unsent},
};
use crate::{
    app::App,
    failure::Failure,
    person::Email,
    store::{
        Tx, invites,
        outbox::{self, Taken},
        quotas::{self, Quota},
        users, verifications,
    },
    verifying,
};

/// Mails to one address in an hour; later ones wait for the next.
const TO_ONE: Quota = Quota { most: limits::MAILS_PER_HOUR, window_ms: 60 * 60 * 1000 };
/// Of a failure, in characters.
const FAILURE_CHARS_MAX: usize = 300;

/// What mails are sent with.
#[derive(Debug)]
pub struct Post {
    transport: Transport,
    from: Mailbox,
    /// Address of this server, for links; without a slash at its end.
    url: String,
    /// What stands behind the `@` of a Message-ID.
    host: String,
    wake: Notify,
}

impl Post {
    /// Sends by `transport`, as `from` (`segue@HOST` when none), for the server at `url`.
    ///
    /// # Errors
    /// When `from` is not a mail address.
    pub fn new(transport: Transport, from: Option<&str>, url: &str) -> anyhow::Result<Self> {
        let host = host(url);
        let from = from.map_or_else(|| format!("Segue <segue@{host}>"), str::to_owned);
        let from = from.parse().with_context(|| format!("{from} is no sender like Segue <segue@example.com>"))?;
        Ok(Self { transport, from, url: url.trim_end_matches('/').to_owned(), host, wake: Notify::new() })
    }

    /// Something was committed that may have decided on a mail.
    pub fn wake(&self) {
        self.wake.notify_one();
    }
}

/// The host's name in a URL; `localhost` for a number, which no mail address takes.
pub fn host(url: &str) -> String {
    let url = url::Url::parse(url).ok();
    let domain = url.as_ref().and_then(url::Url::domain).filter(|name| name.is_ascii());
    domain.unwrap_or("localhost").to_owned()
}

/// Sends mails until the server stops: when something was committed, and now and then.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let Some(floor) = app.settings.mail_every else { return };
    while !stop.is_cancelled() {
        match send_next(&app).await {
            Ok(Sent::One) => continue,
            Ok(Sent::None | Sent::Failed) => {}
            Err(error) => tracing::warn!(error = format!("{error:?}"), "mails cannot be taken from the outbox"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = app.post.wake.notified() => {}
            () = tokio::time::sleep(floor) => {}
        }
    }
}

/// What became of one look.
enum Sent {
    /// One was dealt with; there may be more.
    One,
    /// None waits.
    None,
    /// One could not be sent: the next may meet the same, so it has time.
    Failed,
}

async fn send_next(app: &App) -> Result<Sent, Failure> {
    let now = app.clock.now();
    // The one writer of SQLite is not asked for when nothing waits.
    if !outbox::any_due(&mut app.db.read().await?, now).await? {
        return Ok(Sent::None);
    }
    let Some(mail) = take(app, now).await? else { return Ok(Sent::One) };
    let sent = match compose(app, &mail, now).await {
        Ok(Some(message)) => {
            let sent = app.post.transport.send(message, &file_name(&mail, now)).await;
            app.metrics.mail(if sent.is_ok() { "sent" } else { "failed" });
            sent
        }
        Ok(None) => Ok(()),
        Err(failure) => Err(Unsent::Later(failure.to_string())),
    };
    let mut tx = app.db.begin().await?;
    let outcome = match sent {
        Ok(()) => {
            outbox::done(&mut tx, &mail).await?;
            Sent::One
        }
        Err(why) => {
            TO_ONE.give_back(&mut tx, &mail.recipient, now).await?;
            fail(app, &mut tx, &mail, why).await?;
            Sent::Failed
        }
    };
    tx.commit().await?;
    Ok(outcome)
}

/// Takes the next mail; none when somebody else was faster, or when its address has had enough for now.
async fn take(app: &App, now: Timestamp) -> Result<Option<Taken>, Failure> {
    let mut tx = app.db.begin().await?;
    let Some(mail) = outbox::take(&mut tx, now, now.plus_millis(limits::MAIL_LEASE_MS)).await? else { return Ok(None) };
    let may = TO_ONE.take(&mut tx, &mail.recipient, now).await?;
    if !may {
        outbox::put_back(&mut tx, &mail, TO_ONE.window_end(now), None).await?;
    }
    tx.commit().await?;
    Ok(may.then_some(mail))
}

/// Puts a mail back for later, or gives it up. The log has neither its id nor what the SMTP server said, which may be the address.
async fn fail(app: &App, tx: &mut Tx<'_>, mail: &Taken, why: Unsent) -> Result<(), Failure> {
    let now = app.clock.now();
    let (last, why) = match why {
        Unsent::Later(why) => (mail.attempts >= limits::MAIL_ATTEMPTS_MAX, why),
        Unsent::Never(why) => (true, why),
    };
    let why = plain::line(&why, FAILURE_CHARS_MAX);
    if last {
        tracing::error!(kind = mail.kind, attempts = mail.attempts, "a mail was given up: segue-server mail list");
        return Ok(outbox::give_up(tx, mail, &why, now).await?);
    }
    tracing::warn!(kind = mail.kind, attempts = mail.attempts, "a mail could not be sent yet: segue-server mail list");
    let wait = backoff(mail.attempts, app.draw()?);
    Ok(outbox::put_back(tx, mail, now.plus_millis(wait), Some(&why)).await?)
}

/// The wait after so many attempts, in milliseconds: twice as long each time, less up to a half that is drawn, so that mails that
/// failed together do not come together again.
fn backoff(attempts: i64, drawn: [u8; 4]) -> i64 {
    let doublings = u32::try_from(attempts - 1).unwrap_or(u32::MAX).min(30);
    let whole = limits::MAIL_RETRY_MS.saturating_mul(1 << doublings).min(limits::MAIL_RETRY_MS_MAX);
    whole - i64::from(u32::from_be_bytes(drawn)) * (whole / 2) / i64::from(u32::MAX)
}

/// The mail of a row; none when it has nothing to say any more.
async fn compose(app: &App, mail: &Taken, now: Timestamp) -> Result<Option<Message>, Failure> {
    let order: Order = serde_json::from_str(&mail.body).context("a mail's row cannot be read")?;
    let server = &app.post.url;
    let letter = match mail.kind.as_str() {
        "verification" => verification(app, &order, now).await?,
        "sign_up" => sign_up(app, &order, now).await?,
        "invite" | "handoff_invite" => invite(app, &order, now).await?,
        kind => Some(order.about_handoff(kind, server).context("a mail's kind is unknown")?),
    };
    let Some(letter) = letter else { return Ok(None) };
    Ok(Some(message(app, mail, &order, &letter, now)?))
}

/// The mail as it goes on its way. Every header is of a type of its own, which encodes it.
fn message(app: &App, mail: &Taken, order: &Order, letter: &Letter, now: Timestamp) -> anyhow::Result<Message> {
    let host = &app.post.host;
    let id = format!("<{}@{host}>", mail.id);
    let since = std::time::Duration::from_millis(now.as_wire());
    let mut builder = Message::builder()
        .from(app.post.from.clone())
        .to(Mailbox::new(None, order.to.email.parse().context("a mail's address is none")?))
        .subject(letter.subject())
        .date(std::time::UNIX_EPOCH + since)
        .message_id(Some(id.clone()))
        .header(AutoSubmitted);
    if let Some(about) = &order.about {
        // The reader's first mail about this handoff, so that all of them are one conversation.
        let reader = order.to.user_id.clone().unwrap_or_else(|| super::digest(&mail.recipient));
        let first = format!("<{}.1.{reader}@{host}>", about.handoff_id);
        if first != id {
            builder = builder.in_reply_to(first.clone()).references(first);
        }
    }
    let both = MultiPart::alternative_plain_html(letter.text(), letter.html());
    builder.multipart(both).context("a mail cannot be written")
}

/// `Auto-Submitted: auto-generated` (RFC 3834): no mailbox answers it that it is on holiday.
#[derive(Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

async fn verification(app: &App, order: &Order, now: Timestamp) -> Result<Option<Letter>, Failure> {
    let user: UserId = order.to.user_id.as_deref().unwrap_or_default().parse().context("a mail's user id is none")?;
    let code = verifying::code(app.draw()?);
    let until = now.plus_hours(limits::CODE_HOURS);
    let mut tx = app.db.begin().await?;
    // Nobody waits for it when the address was verified meanwhile.
    let wanted = verifications::set(&mut tx, user, &verifying::code_hash(user, &code), until).await?;
    tx.commit().await?;
    Ok(wanted.then(|| Order::verification(&app.post.url, &verifying::grouped(&code), until)))
}

async fn sign_up(app: &App, order: &Order, now: Timestamp) -> Result<Option<Letter>, Failure> {
    let email = Email::parse(&order.to.email)?;
    if !app.settings.sign_up.allows(&email) {
        return Ok(None);
    }
    if users::find_by_email(&mut app.db.read().await?, &email.key).await?.is_some() {
        return Ok(Some(Order::known_already(&app.post.url)));
    }
    let (link, until) = link(app, &email, None, None, now).await?;
    Ok(Some(Order::sign_up(&app.post.url, Join { link: &link, until })))
}

async fn invite(app: &App, order: &Order, now: Timestamp) -> Result<Option<Letter>, Failure> {
    let email = Email::parse(&order.to.email)?;
    let by = order.by.as_ref().and_then(|by| by.user_id.as_deref()).and_then(|id| id.parse().ok());
    let made = order.invite_id.as_deref().map(str::parse::<InviteId>).transpose().context("an invite's id is none")?;
    if let Some(made) = made
        && invites::open_until(&mut app.db.read().await?, made, now).await?.is_none()
    {
        // Used or over while the mail waited.
        return Ok(None);
    }
    let (link, until) = link(app, &email, made, by, now).await?;
    let (server, join) = (&app.post.url, Join { link: &link, until });
    if order.about.is_some() {
        return Ok(order.invite_to_handoff(server, join));
    }
    Ok(Some(order.invite(server, join)))
}

/// A link with a token that is drawn for this attempt; the database gets its hash. Its invite is `made`, or one of before, or
/// made now.
async fn link(
    app: &App,
    email: &Email,
    made: Option<InviteId>,
    by: Option<UserId>,
    now: Timestamp,
) -> Result<(String, Timestamp), Failure> {
    let (token, id, user) = (app.draw::<32>()?, InviteId::from_bytes(app.draw()?), UserId::from_bytes(app.draw()?));
    let mut until = now.plus_hours(limits::INVITE_HOURS);
    let mut tx = app.db.begin().await?;
    let known = match made {
        Some(made) => Some(made),
        None => invites::find_open(&mut tx, &email.key, by, now).await?,
    };
    let id = if let Some(known) = known {
        if made.is_none() {
            invites::prolong(&mut tx, known, until).await?;
        }
        until = invites::open_until(&mut tx, known, now).await?.unwrap_or(until);
        known
    } else {
        let new = invites::NewInvite {
            id,
            user_id: user,
            email: Some(email),
            vouched: false,
            owner: false,
            invited_by: by,
            expires_at: until,
        };
        invites::insert(&mut tx, &new, now).await?;
        id
    };
    invites::add_token(&mut tx, id, &sha256(&token), true).await?;
    tx.commit().await?;
    Ok((format!("{}/join#1.{}", app.post.url, BASE64URL_NOPAD.encode(&token)), until))
}

/// A file's name: mails sort by their time. An id is ASCII without a slash.
fn file_name(mail: &Taken, now: Timestamp) -> String {
    format!("{:015}-{}", now.as_millis(), mail.id)
}

/// Forgets what is over: dead mails, quotas, codes, and invites that nobody used.
pub async fn forget(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    let hours_ago = |hours: u32| now.plus_millis(-3_600_000 * i64::from(hours));
    let mut tx = app.db.begin().await?;
    outbox::delete_dead(&mut tx, hours_ago(limits::DEAD_MAIL_HOURS)).await?;
    quotas::delete_ended(&mut tx, now).await?;
    verifications::delete_expired(&mut tx, now).await?;
    invites::delete_ended(&mut tx, hours_ago(24)).await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_four_hours_and_are_never_shorter_than_half() {
        assert_eq!((backoff(1, [0; 4]), backoff(1, [255; 4])), (30_000, 15_000));
        assert_eq!((backoff(2, [0; 4]), backoff(5, [0; 4])), (60_000, 480_000));
        assert_eq!((backoff(20, [0; 4]), backoff(i64::MAX, [255; 4])), (14_400_000, 7_200_000));
        let two_days: i64 = (1..limits::MAIL_ATTEMPTS_MAX).map(|attempts| backoff(attempts, [128, 0, 0, 0])).sum();
        assert!((30..50).contains(&(two_days / 3_600_000)), "{two_days}");
    }

    #[test]
    fn a_number_is_no_host_of_a_mail_address() {
        assert_eq!(host("https://segue.example.com:7373/x"), "segue.example.com");
        assert_eq!((host("http://127.0.0.1:1"), host("nonsense")), ("localhost".to_owned(), "localhost".to_owned()));
        assert!(Post::new(Transport::Folder("x".into()), Some("Segue\r\nBcc: x"), "http://h").is_err());
    }
}
