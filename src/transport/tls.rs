//! TLS by the platform's library (native-tls): TLS 1.2 or later, certificate and host name
//! verified.
//!
//! Loading the platform's certificate authorities takes longer than a handshake, so connectors are
//! kept and shared by connections with the same trust. Those with a client certificate are not
//! kept.

use super::error::TransportError;
use super::stream::{Socket, Stream};
use crate::proto::Secret;
use native_tls::{Certificate, HandshakeError, Identity, Protocol, TlsConnector};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

/// How a stream is encrypted and whom it trusts.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// Whether the certificate and the host name are verified. By default `true`; with `false`
    /// anyone in between can read the password.
    pub verify: bool,
    /// A PEM file of certificate authorities, trusted besides the platform's.
    pub ca_file: Option<PathBuf>,
    /// The client certificate, for servers that ask for one.
    pub identity: Option<ClientIdentity>,
    /// PEM text of further authorities, such as the sandbox's.
    pub roots_pem: Option<String>,
}

impl Default for TlsOptions {
    fn default() -> Self {
        TlsOptions { verify: true, ca_file: None, identity: None, roots_pem: None }
    }
}

/// A client certificate and its key.
#[derive(Debug, Clone)]
pub enum ClientIdentity {
    /// A PKCS #12 file and its password.
    Pkcs12(PathBuf, Secret),
    /// A PEM file with the certificate chain, and a PEM file with its key in PKCS #8.
    Pem(PathBuf, PathBuf),
}

/// Encrypts a stream.
///
/// # Errors
/// [`TransportError::Certificate`] if the server's cannot be verified, [`TransportError::File`] if
/// a file cannot be used, [`TransportError::Timeout`] if the handshake takes too long, otherwise
/// [`TransportError::Tls`].
pub(super) fn encrypt(
    mut socket: Socket,
    host: &str,
    options: &TlsOptions,
    timeout_seconds: f64,
) -> Result<Stream, TransportError> {
    let connector = connector(host, options)?;
    socket.read_for_tls();
    match connector.connect(host, socket) {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
        Err(HandshakeError::Failure(cause)) => {
            Err(classify_handshake(host, &cause, timeout_seconds))
        }
        Err(HandshakeError::WouldBlock(_)) => Err(TransportError::Timeout(timeout_seconds)),
    }
}

/// Whether certificates are verified, and the authorities trusted besides the platform's.
type Trust = (bool, Vec<Vec<u8>>);

/// Connectors without a client certificate, by what they trust.
static CONNECTORS: LazyLock<Mutex<Vec<(Trust, TlsConnector)>>> = LazyLock::new(Mutex::default);

/// How many connectors are kept.
const MOST_CONNECTORS: usize = 100;

fn connector(host: &str, options: &TlsOptions) -> Result<TlsConnector, TransportError> {
    let from_file = options.ca_file.as_ref().map(|path| read_file("ca-file", path)).transpose()?;
    let trust = (
        options.verify,
        from_file
            .iter()
            .cloned()
            .chain(options.roots_pem.iter().map(|pem| pem.clone().into_bytes()))
            .collect(),
    );
    let kept = || CONNECTORS.lock().unwrap_or_else(PoisonError::into_inner);
    if options.identity.is_none()
        && let Some((_, connector)) = kept().iter().find(|(known, _)| *known == trust)
    {
        return Ok(connector.clone());
    }
    let mut builder = TlsConnector::builder();
    builder.min_protocol_version(Some(Protocol::Tlsv12));
    if !options.verify {
        builder.danger_accept_invalid_certs(true).danger_accept_invalid_hostnames(true);
    }
    if let (Some(path), Some(pem)) = (&options.ca_file, &from_file) {
        add_roots(&mut builder, pem).map_err(|cause| unusable("ca-file", path, &cause))?;
    }
    if let Some(pem) = &options.roots_pem {
        add_roots(&mut builder, pem.as_bytes())
            .map_err(|cause| TransportError::Tls { host: host.to_owned(), cause })?;
    }
    if let Some(identity) = &options.identity {
        builder.identity(read_identity(identity)?);
    }
    let connector = builder.build().map_err(|cause| classify(host, &cause))?;
    let mut kept = kept();
    if options.identity.is_none() && kept.len() < MOST_CONNECTORS {
        kept.push((trust, connector.clone()));
    }
    Ok(connector)
}

fn add_roots(builder: &mut native_tls::TlsConnectorBuilder, pem: &[u8]) -> Result<(), String> {
    let certificates = Certificate::stack_from_pem(pem).map_err(|cause| cause.to_string())?;
    if certificates.is_empty() {
        return Err("it holds no certificate".into());
    }
    for certificate in certificates {
        builder.add_root_certificate(certificate);
    }
    Ok(())
}

fn read_identity(identity: &ClientIdentity) -> Result<Identity, TransportError> {
    match identity {
        ClientIdentity::Pkcs12(path, password) => {
            let der = read_file("client-identity", path)?;
            Identity::from_pkcs12(&der, password.reveal())
                .map_err(|cause| unusable("client-identity", path, &cause.to_string()))
        }
        ClientIdentity::Pem(certificate, key) => {
            let (chain, key_pem) =
                (read_file("client-identity", certificate)?, read_file("client-identity", key)?);
            Identity::from_pkcs8(&chain, &key_pem)
                .map_err(|cause| unusable("client-identity", certificate, &cause.to_string()))
        }
    }
}

fn read_file(what: &'static str, path: &Path) -> Result<Vec<u8>, TransportError> {
    std::fs::read(path).map_err(|cause| unusable(what, path, &cause.to_string()))
}

fn unusable(what: &'static str, path: &Path, cause: &str) -> TransportError {
    TransportError::File { what, path: path.display().to_string(), cause: cause.to_owned() }
}

fn classify(host: &str, cause: &native_tls::Error) -> TransportError {
    let text = error_chain(cause);
    // The library has no error kinds; on every platform the text says "certificate" if it is about
    // one.
    if text.to_ascii_lowercase().contains("certificate") {
        return TransportError::Certificate { host: host.to_owned(), cause: text };
    }
    TransportError::Tls { host: host.to_owned(), cause: text }
}

/// Looks through the causes for an I/O error: a handshake also fails if the stream does.
fn classify_handshake(
    host: &str,
    cause: &native_tls::Error,
    timeout_seconds: f64,
) -> TransportError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(cause);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            match TransportError::from_io(io, timeout_seconds) {
                TransportError::Broken(_) => {}
                known => return known,
            }
        }
        source = error.source();
    }
    classify(host, cause)
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
