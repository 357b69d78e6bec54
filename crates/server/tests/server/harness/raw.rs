//! A connection that sends what no proper client sends, or nothing.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use super::TestServer;

/// When a test gives up: far above every bound that tests set, and below those that hold without them.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);

/// A bare TCP connection.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn connect(server: &TestServer) -> Self {
        Self::connect_from(server, "127.0.0.1").await
    }

    /// A connection from another of this machine's loopback addresses.
    pub(crate) async fn connect_from(server: &TestServer, address: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        let to = server.url.trim_start_matches("http://").parse().unwrap();
        Self(socket.connect(to).await.unwrap())
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Sends a request, and reads the beginning of its answer; nothing when the connection is closed.
    pub(crate) async fn ask(&mut self, text: &str) -> String {
        // A connection that the server has closed may take the bytes or not.
        self.0.write_all(text.as_bytes()).await.unwrap_or_default();
        let mut answer = vec![0; 4_096];
        let read = tokio::time::timeout(PATIENCE, self.0.read(&mut answer)).await.unwrap().unwrap_or_default();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }

    /// Whether the server answers on this connection.
    pub(crate) async fn is_served(&mut self) -> bool {
        self.ask("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.starts_with("HTTP/1.1 200")
    }

    /// Waits until the server closes the connection.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let end = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest)).await;
        // A reset is an end as well.
        end.expect("the server keeps the connection").unwrap_or_default();
    }
}
