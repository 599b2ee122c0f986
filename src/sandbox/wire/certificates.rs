//! The sandbox's certificate authority, made at start, and the server certificates it signs.

use jiff::{ToSpan, Zoned};
use native_tls::{Identity, Protocol, TlsAcceptor};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::sandbox::SandboxError;

/// Signs server certificates. Its key exists in memory only.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Result<Authority, SandboxError> {
        let make = || {
            let mut params = parameters(&[], "postoffice sandbox CA")?;
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let key = KeyPair::generate()?;
            let pem = params.self_signed(&key)?.pem();
            Ok(Authority { issuer: Issuer::new(params, key), pem })
        };
        make().map_err(|error: rcgen::Error| failed("the authority", &error))
    }

    /// The authority's certificate as PEM, for clients to trust.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns the server side of TLS, with a certificate for these names.
    pub(crate) fn acceptor(&self, hosts: &[&str]) -> Result<TlsAcceptor, SandboxError> {
        let host = hosts.first().copied().unwrap_or_default();
        let (chain, key) = self.sign(hosts).map_err(|error| failed(host, &error))?;
        let identity = Identity::from_pkcs8(chain.as_bytes(), key.as_bytes())
            .map_err(|error| failed(host, &error))?;
        let acceptor =
            TlsAcceptor::builder(identity).min_protocol_version(Some(Protocol::Tlsv12)).build();
        acceptor.map_err(|error| failed(host, &error))
    }

    fn sign(&self, hosts: &[&str]) -> Result<(String, String), rcgen::Error> {
        let mut params = parameters(hosts, hosts.first().copied().unwrap_or_default())?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

/// Valid from yesterday, since clocks differ, for two years.
fn parameters(hosts: &[&str], name: &str) -> Result<CertificateParams, rcgen::Error> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts)?;
    // X.520 limits a common name to 64 characters; clients check only the alternative names.
    params.distinguished_name.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    let today = Zoned::now().date();
    let yesterday = today.saturating_sub(1.day());
    let end = today.saturating_add(2.years());
    let moment = |date: jiff::civil::Date| {
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    (params.not_before, params.not_after) = (moment(yesterday), moment(end));
    Ok(params)
}

fn failed(host: &str, error: &dyn std::fmt::Display) -> SandboxError {
    SandboxError::Certificate { host: host.to_owned(), reason: error.to_string() }
}
