//! A certificate authority for one test, with a server and a client certificate as PEM text.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::sync::Arc;
use tokio_rustls::rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

/// A certificate with its key, as PEM text.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// An authority with the certificates it issued.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// Certificate of the authority, which clients have to trust.
    pub authority: String,
    /// Certificate of the server.
    pub server: Identity,
    /// Certificate of a client, for mutual TLS.
    pub client: Identity,
}

impl Certificates {
    /// Issues a client certificate, and a server certificate for the host `name`.
    ///
    /// # Panics
    /// If `name` is not a valid host name.
    pub fn for_name(name: &str) -> Self {
        let authority_key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key).expect("a certificate").pem();
        let issuer = Issuer::new(params, authority_key);
        let issue = |name: &str| {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
            let certificate = params.signed_by(&key, &issuer).expect("a certificate").pem();
            Identity { certificate, key: key.serialize_pem() }
        };
        let (server, client) = (issue(name), issue("client.test"));
        Self { authority, server, client }
    }

    /// Returns the TLS configuration of the server. `mutual` rejects clients without a certificate
    /// of this authority.
    pub(crate) fn server_config(&self, mutual: bool) -> Arc<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("the default versions");
        let builder = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(certificate(&self.authority)).expect("the authority");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from_pem_slice(self.server.key.as_bytes()).expect("a key");
        let mut config = builder
            .with_single_cert(vec![certificate(&self.server.certificate)], key)
            .expect("a certificate that fits its key");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}
