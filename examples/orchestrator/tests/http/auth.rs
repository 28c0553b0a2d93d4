//! Authentication of webhook requests.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use orchestrator::security::{Secret, Secrets};
use orchestrator::webhook::auth::{
    AuthError, Credentials, SIGNATURE, SignatureTime, TIMESTAMP, sign,
};
use proptest::prelude::*;
use secrecy::ExposeSecret;

use crate::recorded;

fn secrets(texts: &[&str]) -> Vec<Secret> {
    texts.iter().copied().map(Secret::from).collect()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    headers
}

#[test]
fn every_recorded_signature_matches_its_bytes_only() {
    let mut checked = 0;
    for recorded in recorded::all() {
        let (Some(secret), Some(signature)) = (&recorded.hmac_secret, recorded.header(SIGNATURE))
        else {
            continue;
        };
        let key = Secret::from(secret.as_str());
        let timestamp = recorded.header(TIMESTAMP);
        assert_eq!(
            sign(&key, timestamp.map(str::as_bytes), recorded.body.as_bytes()),
            signature,
            "{}",
            recorded.case
        );

        let credentials =
            Credentials { hmac_keys: vec![Secret::from("old"), key], ..Credentials::default() };
        let mut sent = vec![(SIGNATURE, signature)];
        sent.extend(timestamp.map(|time| (TIMESTAMP, time)));
        let now = timestamp.map_or(0, |time| time.parse().unwrap());
        let nonce = credentials.check(&headers(&sent), recorded.body.as_bytes(), now).unwrap();
        assert_eq!(
            nonce.is_some(),
            timestamp.is_some(),
            "only a signature with a time can be used up"
        );
        // Serialized again, the body has other bytes.
        let other = recorded.body.replace("\\u0026", "&");
        assert_eq!(
            credentials.check(&headers(&sent), other.as_bytes(), now),
            Err(AuthError::Signature)
        );
        assert_eq!(
            credentials.check(&headers(&sent[..1]), recorded.body.as_bytes(), now).is_ok(),
            timestamp.is_none()
        );
        checked += 1;
    }
    assert_eq!(checked, 6);
}

#[test]
fn one_valid_credential_is_sufficient_and_an_invalid_one_is_rejected() {
    let both = Credentials {
        tokens: secrets(&["new", "old"]),
        hmac_keys: secrets(&["key", "older"]),
        ..Credentials::default()
    };
    let good = sign(&Secret::from("key"), None, b"{}");
    let rotated = sign(&Secret::from("older"), None, b"{}");
    let bad = sign(&Secret::from("unknown"), None, b"{}");
    type Case<'a> = (&'a [(&'a str, &'a str)], Result<(), AuthError>);
    let cases: &[Case<'_>] = &[
        (&[], Err(AuthError::Missing)),
        (&[("authorization", "Bearer new")], Ok(())),
        (&[("authorization", "bearer   old ")], Ok(())),
        (&[("authorization", "Basic aHViOm5ldw==")], Ok(())), // hub:new
        (&[("authorization", "Basic bmV3Om90aGVy")], Err(AuthError::Token)), // new:other
        (&[("authorization", "Basic bmV3")], Err(AuthError::Token)),
        (&[("authorization", "Basic !!")], Err(AuthError::Token)),
        (&[("authorization", "Bearer ")], Err(AuthError::Token)),
        (&[("authorization", "Bearer ne")], Err(AuthError::Token)),
        (&[("authorization", "Bearer newer")], Err(AuthError::Token)),
        (&[("authorization", "new")], Err(AuthError::Token)),
        (&[("authorization", "Digest new")], Err(AuthError::Token)),
        (
            &[("authorization", "Bearer new"), ("authorization", "Bearer new")],
            Err(AuthError::Token),
        ),
        (&[(SIGNATURE, &good)], Ok(())),
        (&[(SIGNATURE, &rotated)], Ok(())),
        (&[(SIGNATURE, &bad)], Err(AuthError::Signature)),
        (&[(SIGNATURE, "zz")], Err(AuthError::Signature)),
        (&[(SIGNATURE, "")], Err(AuthError::Signature)),
        (&[(SIGNATURE, &good), (SIGNATURE, &good)], Err(AuthError::Signature)),
        (&[("authorization", "Bearer new"), (SIGNATURE, &bad)], Err(AuthError::Signature)),
        (&[("authorization", "Bearer none"), (SIGNATURE, &good)], Err(AuthError::Token)),
        (&[("authorization", "Bearer new"), (SIGNATURE, &good)], Ok(())),
    ];
    for (sent, expected) in cases {
        assert_eq!(both.check(&headers(sent), b"{}", 0).map(drop), *expected, "{sent:?}");
    }
}

#[test]
fn a_credential_of_an_unconfigured_kind_is_ignored() {
    let tokens = Credentials { tokens: secrets(&["t"]), ..Credentials::default() };
    assert_eq!(tokens.check(&headers(&[(SIGNATURE, "00")]), b"", 0), Err(AuthError::Missing));
    assert_eq!(
        tokens.check(&headers(&[(SIGNATURE, "00"), ("authorization", "Bearer t")]), b"", 0),
        Ok(None)
    );
    let none = Credentials::default();
    assert_eq!(none.check(&headers(&[("authorization", "Bearer whatever")]), b"", 0), Ok(None));
}

#[test]
fn a_signature_is_valid_only_near_its_timestamp() {
    let credentials = Credentials { hmac_keys: secrets(&["key"]), ..Credentials::default() };
    let now = 1_795_500_000;
    let check = |time: &str| {
        let signature = sign(&Secret::from("key"), Some(time.as_bytes()), b"{}");
        credentials
            .check(&headers(&[(SIGNATURE, &signature), (TIMESTAMP, time)]), b"{}", now)
            .map(|nonce| nonce.is_some())
    };
    let tolerance = SignatureTime::default().tolerance;
    for offset in [0, tolerance, -tolerance] {
        assert_eq!(check(&(now + offset).to_string()), Ok(true), "{offset}");
    }
    for offset in [tolerance + 1, -tolerance - 1] {
        assert_eq!(check(&(now + offset).to_string()), Err(AuthError::Stale), "{offset}");
    }
    for nonsense in
        ["", "soon", "1e9", "9223372036854775807", "-9223372036854775808", "99999999999999999999"]
    {
        assert_eq!(check(nonsense), Err(AuthError::Stale), "{nonsense}");
    }
}

#[test]
fn a_timestamp_can_be_required_with_another_tolerance() {
    let time = SignatureTime { required: true, tolerance: 10 };
    let credentials = Credentials { hmac_keys: secrets(&["key"]), tokens: secrets(&["t"]), time };
    let check = |time: Option<&str>, more: &[(&str, &str)]| {
        let signature = sign(&Secret::from("key"), time.map(str::as_bytes), b"{}");
        let mut sent = vec![(SIGNATURE, &*signature)];
        sent.extend(time.map(|time| (TIMESTAMP, time)));
        sent.extend(more);
        credentials.check(&headers(&sent), b"{}", 1_000).map(|nonce| nonce.unwrap().expires)
    };
    assert_eq!(check(None, &[]), Err(AuthError::Timeless));
    assert_eq!(check(None, &[("authorization", "Bearer t")]), Err(AuthError::Timeless));
    assert_eq!(check(Some("990"), &[]), Ok(1_000));
    assert_eq!(check(Some("989"), &[]), Err(AuthError::Stale));
}

#[test]
fn secrets_are_read_from_a_variable_or_the_file_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (full, empty) = (path("token", "first, second\n"), path("empty", " \n"));
    let read = |pairs: &[(&str, &str)]| {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Secrets::read(move |name| {
            pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
        })
    };
    let secrets = read(&[
        ("HUB_WEBHOOK_TOKEN_FILE", &full),
        ("HUB_API_TOKEN", "a"),
        ("SLACK_WEBHOOK_URL", ""),
    ])
    .unwrap();
    assert_eq!(
        secrets.webhook_tokens.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>(),
        ["first", "second"]
    );
    assert!(secrets.slack_webhook_url.is_none(), "empty is unset");
    assert!(!format!("{secrets:?}").contains("first"), "secrets are never shown");

    let error = |pairs: &[(&str, &str)]| read(pairs).unwrap_err();
    for (pairs, expected) in [
        (
            &[("HUB_API_TOKEN_FILE", "/nowhere/at/all")][..],
            "cannot read the file `/nowhere/at/all`",
        ),
        (&[("HUB_API_TOKEN_FILE", &empty)], "is empty"),
        (&[("HUB_API_TOKEN_FILE", &full), ("HUB_API_TOKEN", "x")], "both set"),
        // Never open because of it.
        (&[("HUB_WEBHOOK_HMAC_SECRET", " , ")], "a list without a secret"),
    ] {
        let error = error(pairs).to_string();
        assert!(
            error.contains(expected) && error.contains(pairs[0].0.trim_end_matches("_FILE")),
            "{error}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(256)
    })]

    #[test]
    fn no_header_panics_or_passes_without_a_credential(
        authorization in prop::collection::vec(any::<u8>(), 0..64),
        signature in prop::collection::vec(any::<u8>(), 0..96),
        timestamp in prop::collection::vec(any::<u8>(), 0..24),
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let credentials = Credentials { tokens: secrets(&["a-token-of-some-length"]), hmac_keys: secrets(&["key"]), ..Credentials::default() };
        let mut sent = HeaderMap::new();
        for (name, value) in [("authorization", authorization), (SIGNATURE, signature), (TIMESTAMP, timestamp)] {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                sent.insert(name, value);
            }
        }
        prop_assert!(credentials.check(&sent, &body, 0).is_err());
    }
}
