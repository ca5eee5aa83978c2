//! A signature header lets in exactly the body that it was made of.
//! Input: a header's value, a line break, a body.
#![no_main]

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use phasebot::forge::github::verify::Verifier;
use sha2::Sha256;

const SECRETS: [&str; 2] = ["old", "new"];

fuzz_target!(|input: &[u8]| {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (value, body) = (&input[..at], input.get(at + 1..).unwrap_or_default());
    let Ok(header) = HeaderValue::from_bytes(value) else { return };
    let mut headers = HeaderMap::new();
    headers.insert("x-github-event", HeaderValue::from_static("push"));
    headers.insert("x-github-delivery", HeaderValue::from_static("1"));
    let verifier = Verifier::new(&SECRETS.map(Into::into));
    let right = |secret: &str| {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
        format!("sha256={}", hex::encode(mac.chain_update(body).finalize().into_bytes()))
    };
    let is_right = SECRETS.iter().any(|secret| {
        let right = right(secret);
        // The digits may be in capitals, the name may not.
        value.starts_with(b"sha256=") && value.eq_ignore_ascii_case(right.as_bytes())
    });
    headers.insert("x-hub-signature-256", header.clone());
    assert_eq!(verifier.verify(&headers, body).is_ok(), is_right);
    // A second one, right or wrong, beside it is one too many.
    headers.append("x-hub-signature-256", header);
    assert!(verifier.verify(&headers, body).is_err());
    let right = HeaderValue::from_str(&right(SECRETS[1])).expect("hex");
    headers.insert("x-hub-signature-256", right.clone());
    assert!(verifier.verify(&headers, body).is_ok());
    headers.append("x-hub-signature-256", right);
    assert!(verifier.verify(&headers, body).is_err());
});
