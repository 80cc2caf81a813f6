//! TLS by libpq's `sslmode` and its files, on rustls.
//!
//! Source: PostgreSQL manual, "SSL Support" (libpq). Two differences, both to the safe side: `prefer`
//! and `allow` never verify and so never fall back to plain text over a certificate; a client
//! certificate that was named must exist. Two habits of libpq that rustls lacks are added: a
//! certificate without alternative names is compared by its common name, and a self-signed server
//! certificate may be its own `sslrootcert`. Certificates of X.509 version 1 can be used, but not verified.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{ring, CryptoProvider};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{conninfo, one_of};
use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub mode: Mode,
    /// `sslnegotiation=direct`: no question before the handshake.
    pub direct: bool,
    roots: Roots,
    certificate: Option<File>,
    key: Option<File>,
    server_name_indication: bool,
}

#[derive(Clone, Debug)]
enum Roots {
    System,
    File(Option<PathBuf>),
}

/// A file that was named, or the default one, which may be absent.
#[derive(Clone, Debug)]
struct File {
    path: PathBuf,
    named: bool,
}

impl Settings {
    pub fn take(settings: &mut conninfo::Settings, home: Option<&Path>) -> Result<Self> {
        let mut file = |key: &str, default: &str| match settings.remove(key) {
            Some(path) => Some(File { path: path.into(), named: true }),
            None => home.map(|home| File { path: home.join(".postgresql").join(default), named: false }),
        };
        let certificate = file("sslcert", "postgresql.crt");
        let key = file("sslkey", "postgresql.key");
        let roots = match file("sslrootcert", "root.crt") {
            Some(File { path, named: true }) if path == Path::new("system") => Roots::System,
            file => Roots::File(file.map(|file| file.path)),
        };
        let system = matches!(roots, Roots::System);
        let default = if system { Mode::VerifyFull } else { Mode::Prefer };
        let mode = one_of(
            settings,
            "sslmode",
            default,
            &[
                ("disable", Mode::Disable),
                ("allow", Mode::Allow),
                ("prefer", Mode::Prefer),
                ("require", Mode::Require),
                ("verify-ca", Mode::VerifyCa),
                ("verify-full", Mode::VerifyFull),
            ],
        )?;
        if system && mode != Mode::VerifyFull {
            return Err(Error::new("sslrootcert=system is too weak with this sslmode")
                .with_hint("anybody can have a certificate of a public authority: use sslmode=verify-full"));
        }
        let direct = one_of(settings, "sslnegotiation", false, &[("postgres", false), ("direct", true)])?;
        if direct && matches!(mode, Mode::Disable | Mode::Allow | Mode::Prefer) {
            return Err(Error::new("sslnegotiation=direct needs TLS").with_hint("use sslmode=require or stronger"));
        }
        let server_name_indication = one_of(settings, "sslsni", true, &[("0", false), ("1", true)])?;
        Ok(Self { mode, direct, roots, certificate, key, server_name_indication })
    }
}

/// The connector for every attempt of one target. When no attempt can use TLS, no file is read.
pub(super) fn connector(settings: &Settings, used: bool) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(ring::default_provider());
    let (roots, client) = match used {
        true => (load_roots(settings)?, load_client_certificate(settings)?),
        false => (None, None),
    };
    let verifier =
        Verifier { roots, compare_names: settings.mode == Mode::VerifyFull, provider: Arc::clone(&provider) };
    let failed = |error: rustls::Error| Error::new(format!("cannot set up TLS: {error}"));
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match client {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
            Error::new(format!("the client certificate and its key cannot be used: {error}"))
                .with_hint("check that sslkey belongs to sslcert")
        })?,
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = settings.server_name_indication;
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(MakeRustlsConnect::new(config))
}

/// The authorities to verify against; none when this mode does not verify.
fn load_roots(settings: &Settings) -> Result<Option<RootCertStore>> {
    let must = match settings.mode {
        Mode::Disable | Mode::Allow | Mode::Prefer => return Ok(None),
        Mode::Require => false,
        Mode::VerifyCa | Mode::VerifyFull => true,
    };
    let mut store = RootCertStore::empty();
    let path = match &settings.roots {
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            let (added, _) = store.add_parsable_certificates(found.certs);
            if added == 0 {
                return Err(Error::new("this machine has no certificates of authorities")
                    .with_hint("install them (ca-certificates), or give sslrootcert=FILE"));
            }
            return Ok(Some(store));
        }
        Roots::File(Some(path)) if path.exists() => path,
        Roots::File(_) if !must => return Ok(None),
        Roots::File(path) => {
            let name = path.as_ref().map_or("~/.postgresql/root.crt".to_owned(), |path| path.display().to_string());
            return Err(Error::new(format!("root certificate file {name} does not exist"))
                .with_hint("give sslrootcert=FILE, sslrootcert=system for a public authority, or a weaker sslmode"));
        }
    };
    for certificate in read_certificates(path, "root certificate")? {
        store
            .add(certificate)
            .map_err(|error| Error::new(format!("root certificate file {}: {error}", path.display())))?;
    }
    Ok(Some(store))
}

type ClientCertificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn load_client_certificate(settings: &Settings) -> Result<Option<ClientCertificate>> {
    let Some(certificate) = settings.certificate.as_ref().filter(|file| file.named || file.path.exists()) else {
        return Ok(None);
    };
    let chain = read_certificates(&certificate.path, "client certificate")?;
    let Some(File { path, .. }) = &settings.key else {
        return Err(Error::new("the client certificate has no key").with_hint("give sslkey=FILE"));
    };
    let about = std::fs::metadata(path)
        .map_err(|error| Error::new(format!("cannot read the client key {}: {error}", path.display())))?;
    let others = if about.uid() == 0 { 0o037 } else { 0o077 };
    if about.mode() & others != 0 {
        return Err(Error::new(format!("the client key {} can be read by others", path.display()))
            .with_hint("permissions should be u=rw (0600) or less"));
    }
    let key = PrivateKeyDer::from_pem_file(path).map_err(|error| {
        Error::new(format!("cannot read the client key {}: {error}", path.display()))
            .with_hint("an unencrypted key in PEM form is needed")
    })?;
    Ok(Some((chain, key)))
}

fn read_certificates(path: &Path, what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let failed = |why: &dyn fmt::Display| Error::new(format!("cannot read {what} file {}: {why}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(failed(&"it holds no certificate in PEM form")),
        Err(error) => Err(failed(&error)),
    }
}

/// Verifies as much as the mode asks for. The handshake's signature is verified in every mode: it
/// proves that the server has the certificate's key, on which SCRAM channel binding relies.
#[derive(Debug)]
struct Verifier {
    roots: Option<RootCertStore>,
    compare_names: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(roots) = &self.roots else { return Ok(ServerCertVerified::assertion()) };
        let parsed = ParsedCertificate::try_from(certificate)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let chain = verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms);
        match chain {
            Err(error) if is_about_time(&error) || !is_root(certificate, roots) => return Err(error),
            Ok(()) | Err(_) => {}
        }
        if self.compare_names {
            verify_server_name(&parsed, name).or_else(|error| match &error {
                rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })
                    if presented.is_empty() && common_name_matches(certificate, &name.to_str()) =>
                {
                    Ok(())
                }
                _ => Err(error),
            })?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        if ParsedCertificate::try_from(certificate).is_ok() {
            return verify_tls13_signature(message, certificate, signed, algorithms);
        }
        // A certificate that rustls cannot parse, such as one of version 1, still has a key.
        let key = public_key(certificate)?;
        verify_tls13_signature_with_raw_key(message, &key, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn is_about_time(error: &rustls::Error) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(
        error,
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
    )
}

/// Whether the server's own certificate is among the roots: same subject, same key.
fn is_root(certificate: &CertificateDer<'_>, roots: &RootCertStore) -> bool {
    let mut own = RootCertStore::empty();
    own.add(certificate.clone().into_owned()).is_ok() && own.roots.iter().all(|own| roots.roots.contains(own))
}

fn public_key(
    certificate: &CertificateDer<'_>,
) -> std::result::Result<SubjectPublicKeyInfoDer<'static>, rustls::Error> {
    let mut own = RootCertStore::empty();
    own.add(certificate.clone().into_owned())?;
    let [anchor] = own.roots.as_slice() else {
        return Err(rustls::Error::InvalidCertificate(CertificateError::BadEncoding));
    };
    // An anchor has the key without its outermost DER header.
    Ok(SubjectPublicKeyInfoDer::from(wrap_sequence(anchor.subject_public_key_info.as_ref())))
}

fn wrap_sequence(content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut der = vec![0x30];
    match length.as_slice() {
        [short] if *short < 0x80 => der.push(*short),
        long => {
            der.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            der.extend_from_slice(long);
        }
    }
    der.extend_from_slice(content);
    der
}

/// libpq's rule for a certificate without alternative names (`pq_verify_peer_name_matches_certificate`):
/// equal to the host in any case, or `*.` in place of the first label.
fn common_name_matches(certificate: &CertificateDer<'_>, host: &str) -> bool {
    let mut own = RootCertStore::empty();
    if own.add(certificate.clone().into_owned()).is_err() {
        return false;
    }
    let subject = own.roots.first().map(|anchor| anchor.subject.as_ref().to_vec()).unwrap_or_default();
    let Some(name) = common_name(&subject) else { return false };
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(parent), Some((_, rest))) if !is_address => parent.eq_ignore_ascii_case(rest),
        _ => name.eq_ignore_ascii_case(host),
    }
}

/// The first `commonName` (2.5.4.3) of a DER `RDNSequence` without its header.
fn common_name(subject: &[u8]) -> Option<String> {
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    let mut names = subject;
    while let Some((0x31, mut set, rest)) = der_value(names) {
        while let Some((0x30, pair, more)) = der_value(set) {
            if let Some((0x06, COMMON_NAME, value)) = der_value(pair) {
                let (_, text, _) = der_value(value)?;
                return String::from_utf8(text.to_vec()).ok().filter(|text| !text.contains('\0'));
            }
            set = more;
        }
        names = rest;
    }
    None
}

/// Tag, content and what follows of the first DER value.
fn der_value(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, length, rest @ ..] = input else { return None };
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?), &rest[2..]),
        _ => return None,
    };
    Some((*tag, rest.get(..length)?, rest.get(length..)?))
}
