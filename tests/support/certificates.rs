//! Certificates such as a hostile or careless server presents.

use native_tls::{Identity, TlsAcceptor};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// A certificate authority. A test decides whether its clients trust it.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    None,
    Expired,
    NotYetValid,
    SelfSigned,
    OtherHost,
    /// For client authentication only.
    ClientOnly,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "the tests' authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// Returns a TLS acceptor for `localhost` whose certificate has this flaw. `SelfSigned` is not
    /// signed by this authority; `OtherHost` names `mail.example.net`.
    pub fn acceptor(&self, flaw: Flaw) -> TlsAcceptor {
        let host = if flaw == Flaw::OtherHost { "mail.example.net" } else { "localhost" };
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let purpose = if flaw == Flaw::ClientOnly {
            ExtendedKeyUsagePurpose::ClientAuth
        } else {
            ExtendedKeyUsagePurpose::ServerAuth
        };
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = flaw != Flaw::SelfSigned;
        (params.not_before, params.not_after) = match flaw {
            Flaw::Expired => (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1)),
            Flaw::NotYetValid => (date_time_ymd(3001, 1, 1), date_time_ymd(3002, 1, 1)),
            _ => (date_time_ymd(2001, 1, 1), date_time_ymd(3000, 1, 1)),
        };
        let key = KeyPair::generate().unwrap();
        let certificate = if flaw == Flaw::SelfSigned {
            params.self_signed(&key).unwrap()
        } else {
            params.signed_by(&key, &self.issuer).unwrap()
        };
        let identity =
            Identity::from_pkcs8(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())
                .unwrap();
        TlsAcceptor::new(identity).unwrap()
    }
}
