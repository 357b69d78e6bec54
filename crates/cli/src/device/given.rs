//! The code or link that a person gives: from the environment, standard input or a prompt; never from the command line, which
//! others can read (SPEC D6).

use segue_crypto::pairing::{CodeSecret, LinkSecret, Nameplate, PairingSecret, Purpose};
use url::Url;
use zeroize::Zeroizing;

use crate::{
    error::{CliError, Result},
    output::Output,
};

/// Longest code or link that is read from standard input, in bytes.
const CODE_BYTES_MAX: u64 = 4_096;

/// A code or link that was given.
pub struct Given {
    /// The server of a link.
    pub(super) server: Option<Url>,
    /// Which pairing it names.
    pub nameplate: Nameplate,
    pub(super) secret: PairingSecret,
}

/// What is in the environment or on standard input.
pub fn given(purpose: Purpose, output: &Output) -> Result<Option<Given>> {
    let text = match std::env::var("SEGUE_DEVICE_CODE") {
        Ok(text) => Some(text),
        Err(_) => output.piped("the code", CODE_BYTES_MAX)?,
    };
    text.map(|text| parse(purpose, &Zeroizing::new(text))).transpose()
}

/// Asks for it.
pub(super) fn ask(purpose: Purpose, output: &Output) -> Result<Given> {
    loop {
        let text = output.ask("Code or link from the other device", "Set SEGUE_DEVICE_CODE, or pipe the code in.")?;
        match parse(purpose, &Zeroizing::new(text)) {
            Ok(given) => return Ok(given),
            // A slip of the finger is noticed here, and is no try.
            Err(error) => output.notice(format!("{}. {}", error.message, error.hint)),
        }
    }
}

/// What stands around a code or link that was copied out of a text.
const AROUND: [char; 9] = ['\u{feff}', '\u{200b}', '"', '\'', '`', '<', '>', '“', '”'];

fn parse(purpose: Purpose, text: &str) -> Result<Given> {
    let text = text.trim_matches(|symbol: char| symbol.is_whitespace() || AROUND.contains(&symbol));
    if text.contains('#') {
        let wrong = |error: &dyn std::fmt::Display| CliError::usage(error.to_string());
        let (nameplate, secret) = LinkSecret::parse(text).map_err(|error| wrong(&error))?;
        let mut server = Url::parse(text.trim()).map_err(|_| CliError::usage("this link is cut at its beginning"))?;
        let path = if purpose == Purpose::Link { "/l" } else { "/h" };
        if server.path() != path || !matches!(server.scheme(), "http" | "https") {
            return Err(CliError::usage("this link is for something else")
                .hint("/h hands a chat over: segue device claim. /l adds a device: segue join --code."));
        }
        if !server.username().is_empty() || server.password().is_some() || server.query().is_some() {
            return Err(CliError::usage("this link has more in it than a code")
                .hint("Copy it once more from the other device."));
        }
        server.set_fragment(None);
        server.set_path("/");
        return Ok(Given { server: Some(server), nameplate, secret: PairingSecret::Link(secret) });
    }
    let read = CodeSecret::parse(purpose, text);
    let (nameplate, secret) =
        read.map_err(|error| CliError::usage(error.to_string())
            .hint("A code of ten symbols hands a chat over: segue device claim. One of twelve adds a device: segue join --code."))?;
    Ok(Given { server: None, nameplate, secret: PairingSecret::Code(secret) })
}

#[cfg(test)]
mod tests {
    use segue_crypto::pairing::{Place, SizeClass, Source};

    use super::*;
    use crate::environment::rng;

    #[test]
    fn what_stands_around_a_code_or_link_in_a_text_is_passed_over() {
        let place = Place { purpose: Purpose::Handoff, server_id: [1; 16], hid: [2; 16] };
        let (source, known) = (Source::new(&mut rng().unwrap(), place, SizeClass::Small, 300), "QZ3K".parse().unwrap());
        let link = format!("https://segue.example/h#{}", *source.fragment(known));
        for plain in [source.code(known).as_str(), &link] {
            let nameplate = |text: &str| parse(Purpose::Handoff, text).map(|given| given.nameplate).ok();
            assert_eq!(nameplate(plain), Some(known), "{plain}");
            for around in ["“{}”", "\"{}\"", "'{}'", "`{}`", "<{}>", "\u{feff}{}\r\n", " \u{200b}{}\u{200b}\t"] {
                assert_eq!(nameplate(&around.replace("{}", plain)), Some(known), "{around}");
            }
            assert_eq!(nameplate(&format!("see {plain}")), None);
        }
    }
}
