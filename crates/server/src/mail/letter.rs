//! What a mail says, once for its text and its HTML. Everything is escaped here and nowhere else.

use super::plain;

/// A subject, in characters: what a list of mails shows of it.
const SUBJECT_CHARS_MAX: usize = 120;

/// A mail's content.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    subject: String,
    parts: Vec<Part>,
}

/// A part of a mail.
#[derive(Debug, Clone)]
enum Part {
    Line(String),
    Strong(String),
    Quote(Vec<String>),
    Command(String),
    Link(String),
    Small(String),
}

impl Letter {
    /// An empty letter.
    pub(super) fn about(subject: &str) -> Self {
        Self { subject: plain::line(subject, SUBJECT_CHARS_MAX), parts: Vec::new() }
    }

    /// A paragraph.
    pub(super) fn line(self, text: impl Into<String>) -> Self {
        self.with(Part::Line(text.into()))
    }

    /// What the mail is about.
    pub(super) fn strong(self, text: impl Into<String>) -> Self {
        self.with(Part::Strong(text.into()))
    }

    /// What somebody wrote; nothing when they wrote nothing.
    pub(super) fn quote(self, text: &str, chars_max: usize) -> Self {
        let lines = plain::lines(text.trim(), chars_max);
        if lines.is_empty() { self } else { self.with(Part::Quote(lines)) }
    }

    /// What to type, or a code, on a line of its own.
    pub(super) fn command(self, text: impl Into<String>) -> Self {
        self.with(Part::Command(text.into()))
    }

    /// A link that says where it leads. Its page changes nothing.
    pub(super) fn link(self, url: impl Into<String>) -> Self {
        self.with(Part::Link(url.into()))
    }

    /// The last paragraph: why this mail came.
    pub(super) fn small(self, text: impl Into<String>) -> Self {
        self.with(Part::Small(text.into()))
    }

    fn with(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// The subject: one line.
    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    /// As plain text.
    pub(super) fn text(&self) -> String {
        let parts: Vec<_> = self.parts.iter().map(Part::text).collect();
        parts.join("\n\n") + "\n"
    }

    /// As HTML: no script, no image, no style but inline. Colours are the reader's, so it is readable on a dark ground too.
    pub(super) fn html(&self) -> String {
        let parts: String = self.parts.iter().map(Part::html).collect();
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\">\
             <title>{}</title></head><body style=\"margin:0;padding:24px;font:16px/1.5 system-ui,sans-serif\">\
             <div style=\"max-width:36em\">\n{parts}</div></body></html>\n",
            plain::html(&self.subject)
        )
    }
}

impl Part {
    fn text(&self) -> String {
        match self {
            Self::Line(text) | Self::Link(text) => text.clone(),
            Self::Strong(text) | Self::Command(text) => format!("    {text}"),
            Self::Quote(lines) => lines.iter().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n"),
            Self::Small(text) => format!("-- \n{text}"),
        }
    }

    fn html(&self) -> String {
        match self {
            Self::Line(text) => format!("<p>{}</p>\n", plain::html(text)),
            Self::Strong(text) => format!("<p><strong>{}</strong></p>\n", plain::html(text)),
            Self::Quote(lines) => {
                let lines: Vec<_> = lines.iter().map(|line| plain::html(line)).collect();
                format!(
                    "<blockquote style=\"margin:16px 0;padding-left:12px;border-left:3px solid #8888\">{}</blockquote>\n",
                    lines.join("<br>\n")
                )
            }
            Self::Command(text) => {
                let style = "padding:8px 12px;border:1px solid #8888;border-radius:4px;overflow-x:auto";
                format!("<pre style=\"{style}\"><code>{}</code></pre>\n", plain::html(text))
            }
            Self::Link(url) => {
                let url = plain::html(url);
                format!("<p><a href=\"{url}\" style=\"word-break:break-all\">{url}</a></p>\n")
            }
            Self::Small(text) => format!("<p style=\"font-size:13px;opacity:.7\">{}</p>\n", plain::html(text)),
        }
    }
}
