//! What a row of the outbox says about its mail, and the letter that comes of it.

use segue_api::sessions::Card;
use segue_domain::{Timestamp, limits::MESSAGE_CHARS_MAX};
use serde::{Deserialize, Serialize};

use super::{letter::Letter, plain};

/// Of what was said in a comment, in characters: the rest is read with `segue handoffs get`.
const SAID_CHARS_MAX: usize = 4_000;
/// A name or a part of a card, in characters.
const WORDS_CHARS_MAX: usize = 100;

/// A mail that was decided on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Order {
    /// To whom.
    pub(super) to: Who,
    /// Who caused it; nobody where the server itself did.
    pub(super) by: Option<Who>,
    /// The handoff that it is about.
    pub(super) about: Option<About>,
    /// The invite that it carries; without one, an invite is made when it is sent.
    pub(super) invite_id: Option<String>,
}

/// Somebody in a mail.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Who {
    pub(super) user_id: Option<String>,
    pub(super) email: String,
    pub(super) name: String,
}

/// A handoff in a mail.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) handoff_id: String,
    pub(super) card: Card,
    pub(super) message: String,
    /// What was written with the event: a comment, a reason.
    pub(super) said: String,
    pub(super) expires_at: i64,
}

/// A link to join with, drawn for one attempt to send.
#[derive(Clone, Copy)]
pub(super) struct Join<'a> {
    /// It opens a page; its fragment is the token.
    pub(super) link: &'a str,
    /// When it ends.
    pub(super) until: Timestamp,
}

impl Order {
    /// A mail about an event of a handoff, for somebody who has joined.
    pub(super) fn about_handoff(&self, kind: &str, server: &str) -> Option<Letter> {
        let about = self.about.as_ref()?;
        let (by, title) = (self.by_whom(), about.title());
        let subject = match kind {
            "created" => format!("{by} handed you {title}"),
            "claimed" => format!("{by} claimed {title}"),
            "revoked" => format!("{by} revoked {title}"),
            "declined" => format!("{by} declined {title}"),
            "commented" => format!("{by} commented on {title}"),
            _ => return None,
        };
        let letter = Letter::about(&subject).line(format!("{}.", self.sentence(&subject)));
        let letter = if kind == "created" {
            let letter = about.describe(letter).quote(&about.message, MESSAGE_CHARS_MAX);
            let letter = letter.line("To go on with it, in your checkout of the project:");
            let letter = letter.command(format!("segue pull-handoff {}", about.handoff_id));
            letter.line(format!("It waits for you until {}.", date(Timestamp::from_millis(about.expires_at))))
        } else {
            let letter = about.describe(letter).quote(&about.said, SAID_CHARS_MAX);
            letter.line("Where it stands:").command(format!("segue handoffs get {}", about.handoff_id))
        };
        let letter = letter.link(format!("{server}/i/{}", about.handoff_id));
        Some(letter.small(format!("You get this mail because you are a party of this handoff on {server}. {SEALED}")))
    }

    /// A mail about a handoff, for somebody who has no account yet.
    pub(super) fn invite_to_handoff(&self, server: &str, join: Join<'_>) -> Option<Letter> {
        let about = self.about.as_ref()?;
        let subject = format!("{} handed you {}", self.by_whom(), about.title());
        let letter = Letter::about(&subject).line(format!("{}.", self.sentence(&subject)));
        let letter = about.describe(letter).quote(&about.message, MESSAGE_CHARS_MAX);
        let letter = letter.line("You have no account on this server yet. Join first:");
        let letter = joining(letter, join).line("Then, in your checkout of the project:");
        let letter = letter.command(format!("segue pull-handoff {}", about.handoff_id));
        let end = date(Timestamp::from_millis(about.expires_at));
        let letter =
            letter.line(format!("The handoff waits until {end}.")).link(format!("{server}/i/{}", about.handoff_id));
        Some(letter.small(format!("You get this mail because a member of {server} named your address. {SEALED}")))
    }

    /// An invite to join.
    pub(super) fn invite(&self, server: &str, join: Join<'_>) -> Letter {
        let subject = format!("{} invites you to Segue", self.by_whom());
        let letter =
            Letter::about(&subject).line(format!("{} to hand over AI coding sessions.", self.sentence(&subject)));
        let letter = joining(letter.line("Join with:"), join);
        letter.small(format!(
            "You get this mail because a member of {server} named your address. Ignore it if that is a mistake."
        ))
    }

    /// The link that somebody asked for to sign up.
    pub(super) fn sign_up(server: &str, join: Join<'_>) -> Letter {
        let letter = Letter::about(&format!("Join Segue at {server}")).line("Join with:");
        joining(letter, join)
            .small(format!("Somebody asked {server} to send this to your address. Ignore it if that was not you."))
    }

    /// The answer to a sign-up with an address that has an account.
    pub(super) fn known_already(server: &str) -> Letter {
        Letter::about(&format!("You have an account at {server}"))
            .line("Your address was given to sign up, and it has an account on this server. On the device that has it:")
            .command("segue whoami")
            .small(format!("Somebody asked {server} to send this to your address. Ignore it if that was not you."))
    }

    /// The code that verifies an address.
    pub(super) fn verification(server: &str, code: &str, until: Timestamp) -> Letter {
        Letter::about("Your Segue code")
            .line(format!("To verify that this address is yours, give this code to `segue verify` on the device that joined {server}:"))
            .command(code)
            .line(format!("It works once, until {}. Only the newest code works.", date(until)))
            .small("Nobody else needs it: give it to nobody. Ignore this mail if you did not ask for it.")
    }

    fn by_whom(&self) -> String {
        self.by.as_ref().map(|by| plain::line(&by.name, WORDS_CHARS_MAX)).unwrap_or_default()
    }

    /// The subject with the address of who did it: a name can be anything.
    fn sentence(&self, subject: &str) -> String {
        let name = self.by_whom();
        let email = self.by.as_ref().map(|by| plain::line(&by.email, 254)).unwrap_or_default();
        subject.strip_prefix(&name).map_or_else(|| subject.to_owned(), |rest| format!("{name} ({email}){rest}"))
    }
}

const SEALED: &str = "The session itself is sealed; nothing of its content is in this mail.";

fn joining(letter: Letter, join: Join<'_>) -> Letter {
    let letter = letter.command(format!("segue join '{}'", join.link)).link(join.link);
    letter.line(format!(
        "The link works once, until {}, and shows that this address is yours: keep it to yourself.",
        date(join.until)
    ))
}

impl About {
    fn is_private(&self) -> bool {
        self.card.tool.is_empty()
    }

    fn title(&self) -> String {
        let title = plain::line(&self.card.title, WORDS_CHARS_MAX);
        match (self.is_private(), title.is_empty()) {
            (true, _) => "a private session".to_owned(),
            (false, true) => "a session".to_owned(),
            (false, false) => format!("\"{title}\""),
        }
    }

    /// The card.
    fn describe(&self, letter: Letter) -> Letter {
        if self.is_private() {
            return letter.strong("A private session: its title, tool and project are sealed.");
        }
        let card = &self.card;
        let word = |text: &str| plain::line(text, WORDS_CHARS_MAX);
        let mut facts = vec![
            word(&card.tool),
            word(&card.model),
            format!(
                "{} questions, {} answers, {} tool calls",
                card.user_messages, card.assistant_messages, card.tool_calls
            ),
        ];
        match (word(&card.git_remote), word(&card.git_branch)) {
            (remote, branch) if !remote.is_empty() && !branch.is_empty() => {
                facts.push(format!("{remote}, branch {branch}"));
            }
            (remote, branch) => facts.extend([remote, branch]),
        }
        facts.retain(|fact| !fact.is_empty());
        let title = word(&card.title);
        let letter = if title.is_empty() { letter } else { letter.strong(title) };
        letter.line(facts.join(" · "))
    }
}

/// A time as people write it, to the minute.
fn date(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(time.as_millis()).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(name: &str, title: &str, message: &str) -> Order {
        let card = Card {
            tool: "claude-code".to_owned(),
            model: "m".to_owned(),
            title: title.to_owned(),
            git_remote: "git.example.com/x".to_owned(),
            git_branch: "main".to_owned(),
            user_messages: 1,
            assistant_messages: 2,
            tool_calls: 3,
            bytes: 4,
            updated_at: 5,
        };
        Order {
            to: Who { user_id: None, email: "ben@example.com".to_owned(), name: "Ben".to_owned() },
            by: Some(Who { user_id: None, email: "ann@example.com".to_owned(), name: name.to_owned() }),
            about: Some(About {
                handoff_id: "hnd_x".to_owned(),
                card,
                message: message.to_owned(),
                said: String::new(),
                expires_at: 1_800_000_000_000,
            }),
            invite_id: None,
        }
    }

    #[test]
    fn a_handoff_is_told_with_its_card_its_message_its_command_and_its_end() {
        let letter =
            order("Ann Lee", "fix the parser", "Look at the\nlexer.").about_handoff("created", "https://s").unwrap();
        assert_eq!(letter.subject(), "Ann Lee handed you \"fix the parser\"");
        let text = letter.text();
        for part in [
            "Ann Lee (ann@example.com) handed you \"fix the parser\".",
            "claude-code · m · 1 questions, 2 answers, 3 tool calls · git.example.com/x, branch main",
            "> Look at the\n> lexer.",
            "    segue pull-handoff hnd_x\n",
            "until 15 January 2027, 08:00 UTC",
            "https://s/i/hnd_x",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(letter.html().contains("<pre") && letter.html().contains("href=\"https://s/i/hnd_x\""));
    }

    #[test]
    fn a_private_session_says_so_and_nothing_else() {
        let mut order = order("Ann", "t", "");
        order.about.as_mut().unwrap().card =
            Card { tool: String::new(), title: String::new(), ..order.about.clone().unwrap().card };
        let letter = order.about_handoff("created", "https://s").unwrap();
        assert_eq!(letter.subject(), "Ann handed you a private session");
        assert!(!letter.text().contains("git.example.com"));
    }

    #[test]
    fn what_others_wrote_is_text_in_every_part() {
        let nasty = "<script>alert(1)</script>\r\nBcc: x@y\u{202e} {{7*7}} <img src=x>";
        for kind in ["created", "claimed", "revoked", "declined", "commented"] {
            let mut order = order(nasty, nasty, nasty);
            order.about.as_mut().unwrap().said = nasty.repeat(1_000);
            let letter = order.about_handoff(kind, "https://s").unwrap();
            assert!(!letter.subject().contains(['\r', '\n', '\u{202e}']) && letter.subject().chars().count() <= 120);
            let (text, html) = (letter.text(), letter.html());
            assert!(!text.contains('\u{202e}') && !text.contains("\nBcc:"), "{text}");
            assert!(!html.contains("<script") && !html.contains("<img") && !html.contains('\u{202e}'), "{html}");
            assert!(text.len() < 20_000);
        }
    }
}
