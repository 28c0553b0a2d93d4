//! The connector of OTLP over HTTP: TCP, and TLS by rustls.

use hyper_util::client::legacy::connect::HttpConnector;
use std::time::Duration;

#[cfg(feature = "otlp-tls")]
pub(crate) use tls::{TlsConnector as Connector, connector};

#[cfg(not(feature = "otlp-tls"))]
pub(crate) type Connector = HttpConnector;

/// Creates the connector.
///
/// # Errors
/// None without TLS.
#[cfg(not(feature = "otlp-tls"))]
pub(crate) fn connector(config: &crate::config::otlp::OtlpConfig) -> Result<Connector, String> {
    Ok(tcp_connector(*config.timeout))
}

/// Creates the TCP connector, used directly or under TLS.
fn tcp_connector(timeout: Duration) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(timeout));
    connector.enforce_http(false);
    connector
}

#[cfg(feature = "otlp-tls")]
mod tls {
    use super::tcp_connector;
    use crate::config::otlp::OtlpConfig;
    use hyper_rustls::HttpsConnector;
    use hyper_rustls::HttpsConnectorBuilder;
    use hyper_util::client::legacy::connect::HttpConnector;
    use rustls::ClientConfig;
    use rustls::RootCertStore;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;
    use std::sync::Arc;

    pub(crate) type TlsConnector = HttpsConnector<HttpConnector>;

    /// Creates the connector with the public roots or the configured certificates, and the client
    /// certificate.
    ///
    /// # Errors
    /// A PEM file is invalid.
    pub(crate) fn connector(config: &OtlpConfig) -> Result<TlsConnector, String> {
        // Explicit: the process' default provider belongs to the application.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let roots = match &config.tls.certificate {
            // A configured certificate replaces the public roots.
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
            .wrap_connector(tcp_connector(*config.timeout)))
    }

    fn certificates(pem: &[u8], origin: &str) -> Result<Vec<CertificateDer<'static>>, String> {
        let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        parsed
            .ok()
            .filter(|certificates| !certificates.is_empty())
            .ok_or_else(|| format!("certificates in PEM in {origin}"))
    }
}
