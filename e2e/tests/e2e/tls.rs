//! The server speaks TLS from two files, and the client believes a certificate that its machine trusts, and no other.

use std::fs;

use anyhow::Result;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use segue_e2e::{
    person::Person,
    server::{Options, Server},
    story::{ANN, join_as_owner},
};
use tempfile::TempDir;

#[test]
fn joining_over_tls_needs_a_trusted_certificate() -> Result<()> {
    let root = TempDir::new()?;
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let (cert_file, key_file) = (root.path().join("cert.pem"), root.path().join("key.pem"));
    fs::write(&cert_file, cert.pem())?;
    fs::write(&key_file, signing_key.serialize_pem())?;
    let arguments = ["--tls-cert".into(), cert_file.clone().into(), "--tls-key".into(), key_file.into()];
    let options = Options { arguments: arguments.to_vec(), ..Options::default() };
    let server = Server::start(&root.path().join("server"), &options)?;
    assert!(server.url().starts_with("https://"), "{}", server.url());

    let wary = Person::new(&root.path().join("wary"))?;
    let link = server.owner_link().unwrap_or_default();
    let refused = wary.run(&["join", link, "--email", ANN])?;
    assert_eq!(refused.code, 6, "{}", refused.stderr);

    let ann = Person::new(&root.path().join("ann"))?.with("SSL_CERT_FILE", cert_file);
    join_as_owner(&server, &ann)?;
    assert_eq!(ann.json(&["whoami"])?["email"], ANN);
    Ok(())
}
