//! TLS for OTLP over HTTP, by rustls: the public roots or the certificates that were given, and what this program shows.

use crate::config::OtlpConfig;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use std::sync::Arc;

pub(crate) fn connector(config: &OtlpConfig) -> Result<HttpsConnector<HttpConnector>, String> {
    // Named, not the process' default provider: that one belongs to the application.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let roots = match &config.tls.certificate {
        // A certificate that was given replaces the public roots: it says whom to trust.
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(pem.contents.expose(), &pem.origin.to_string())? {
                roots.add(certificate).map_err(|error| {
                    format!("a certificate to trust in {} ({error})", pem.origin)
                })?;
            }
            roots
        }
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let builder = builder.with_root_certificates(roots);
    let tls = match (&config.tls.client_certificate, &config.tls.client_key) {
        (Some(certificate), Some(key)) => {
            let chain =
                certificates(certificate.contents.expose(), &certificate.origin.to_string())?;
            let private = PrivateKeyDer::from_pem_slice(key.contents.expose())
                .map_err(|_| format!("a private key in PEM in {}", key.origin))?;
            builder.with_client_auth_cert(chain, private).map_err(|error| {
                format!("a certificate and its key in {} ({error})", certificate.origin)
            })?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(crate::export::transport::http::plain(*config.timeout)))
}

fn certificates(pem: &[u8], origin: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    list.ok()
        .filter(|list| !list.is_empty())
        .ok_or_else(|| format!("certificates in PEM in {origin}"))
}
