//! Just enough of HTTP/1.1 to ask one server, so that the client costs next to nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use anyhow::{Context as _, Result, ensure};

/// One connection, kept open.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request and reads the whole answer, which must be a success; its body.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        let (status, body) = self.ask(request)?;
        ensure!(status.starts_with("HTTP/1.1 2"), "the server answered {status}{}", String::from_utf8_lossy(&body));
        Ok(body)
    }

    /// Sends a request and reads lines until one is this, for an answer that never ends.
    pub(crate) fn begin(&mut self, request: &[u8], until: &str) -> Result<()> {
        self.0.get_mut().write_all(request)?;
        let mut line = String::new();
        while line.trim_end() != until {
            line.clear();
            ensure!(self.0.read_line(&mut line)? > 0, "the server ended the connection");
        }
        Ok(())
    }

    /// Sends a request and reads the whole answer, whatever it is; its status line and body.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<(String, Vec<u8>)> {
        self.0.get_mut().write_all(request)?;
        let (mut line, mut len) = (String::new(), None);
        self.0.read_line(&mut line)?;
        let status = line.clone();
        while line != "\r\n" {
            line.clear();
            ensure!(self.0.read_line(&mut line)? > 0, "the server ended the connection");
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                len = Some(value.trim().parse()?);
            }
        }
        let mut body = vec![0; len.context("the answer tells no length")?];
        self.0.read_exact(&mut body)?;
        Ok((status, body))
    }
}

/// A request without a body.
pub(crate) fn get(path: &str, token: Option<&str>) -> Vec<u8> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}\r\n").into_bytes()
}

/// A request with a body.
pub(crate) fn post(path: &str, token: &str, media_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: {media_type}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
