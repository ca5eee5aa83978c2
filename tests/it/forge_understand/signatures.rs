//! Only deliveries that GitHub signed are accepted.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use phasebot::{
    forge::github::verify::Verifier,
    port::forge::{Refusal, Verified},
};
use proptest::prelude::*;
use sha2::Sha256;

/// GitHub Docs, "Validating webhook deliveries", "Testing the webhook payload validation".
const SECRET: &str = "It's a Secret to Everybody";
const BODY: &[u8] = b"Hello, World!";
const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

fn verifier(secrets: &[&str]) -> Verifier {
    Verifier::new(&secrets.iter().map(|secret| (*secret).into()).collect::<Vec<_>>())
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).expect("a header name"),
            HeaderValue::from_bytes(value.as_bytes()).expect("a header value"),
        );
    }
    headers
}

fn signed(signature: &str) -> HeaderMap {
    headers(&[
        ("x-hub-signature-256", signature),
        ("x-github-event", "issues"),
        ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ("x-github-hook-id", "292430182"),
    ])
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    format!("sha256={}", hex::encode(mac.chain_update(body).finalize().into_bytes()))
}

#[test]
fn the_documented_example_gets_in() {
    let expected = Verified {
        event: "issues".to_owned(),
        delivery: "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(),
        hook: "292430182".to_owned(),
    };
    assert_eq!(verifier(&[SECRET]).verify(&signed(SIGNATURE), BODY), Ok(expected));
    let upper = format!("sha256={}", SIGNATURE[7..].to_ascii_uppercase());
    assert!(verifier(&[SECRET]).verify(&signed(&upper), BODY).is_ok());
}

#[test]
fn either_of_two_secrets_will_do() {
    for secrets in [[SECRET, "new"], ["new", SECRET], [SECRET, SECRET]] {
        assert!(verifier(&secrets).verify(&signed(SIGNATURE), BODY).is_ok());
    }
    assert_eq!(verifier(&["new", "newer"]).verify(&signed(SIGNATURE), BODY), Err(Refusal::BadSignature));
}

#[test]
fn no_secret_lets_nothing_in() {
    for secrets in [&[][..], &[""], &["", ""]] {
        assert_eq!(verifier(secrets).verify(&signed(&sign("", BODY)), BODY), Err(Refusal::BadSignature));
    }
}

#[test]
fn a_missing_signature_is_told_from_a_wrong_one() {
    let mut missing = signed(SIGNATURE);
    missing.remove("x-hub-signature-256");
    missing.insert("x-hub-signature", HeaderValue::from_static("sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"));
    assert_eq!(verifier(&[SECRET]).verify(&missing, BODY), Err(Refusal::MissingSignature));
    assert_eq!(verifier(&[SECRET]).verify(&HeaderMap::new(), BODY), Err(Refusal::MissingSignature));
}

#[test]
fn a_malformed_or_repeated_signature_is_refused() {
    let digits = &SIGNATURE[7..];
    for wrong in [
        "",
        "sha256=",
        digits,
        &format!("sha1={digits}"),
        &format!("SHA256={digits}"),
        &format!("sha256={}", &digits[1..]),
        &format!("sha256={digits}0"),
        &format!("sha256={digits}00"),
        &format!("sha256={digits}, sha256={digits}"),
        &format!("sha256={}zz", &digits[2..]),
        &format!("sha256={}é", &digits[2..]),
        &format!("sha256={}", "0".repeat(100_000)),
        &format!("sha256={}", "0".repeat(64)),
    ] {
        assert_eq!(verifier(&[SECRET]).verify(&signed(wrong), BODY), Err(Refusal::BadSignature), "{wrong:.80}");
    }
    let mut twice = signed(SIGNATURE);
    twice.append("x-hub-signature-256", HeaderValue::from_static(SIGNATURE));
    assert_eq!(verifier(&[SECRET]).verify(&twice, BODY), Err(Refusal::BadSignature));
}

#[test]
fn a_signed_delivery_must_be_named() {
    let check = |headers: &HeaderMap| verifier(&[SECRET]).verify(headers, BODY);
    for (header, name) in [("x-github-event", "X-GitHub-Event"), ("x-github-delivery", "X-GitHub-Delivery")] {
        let mut missing = signed(SIGNATURE);
        missing.remove(header);
        assert_eq!(check(&missing), Err(Refusal::BadHeader(name)));
    }
    for (header, name) in [
        ("x-github-event", "X-GitHub-Event"),
        ("x-github-delivery", "X-GitHub-Delivery"),
        ("x-github-hook-id", "X-GitHub-Hook-ID"),
    ] {
        let header = HeaderName::from_static(header);
        for value in [&b""[..], b"a b", b"\xff", &[b'x'; 129]] {
            let mut odd = signed(SIGNATURE);
            odd.insert(&header, HeaderValue::from_bytes(value).expect("a header value"));
            assert_eq!(check(&odd), Err(Refusal::BadHeader(name)));
        }
        let mut twice = signed(SIGNATURE);
        twice.append(&header, HeaderValue::from_static("other"));
        assert_eq!(check(&twice), Err(Refusal::BadHeader(name)));
    }
    let mut hookless = signed(SIGNATURE);
    hookless.remove("x-github-hook-id");
    assert_eq!(check(&hookless).map(|verified| verified.hook), Ok(String::new()));
}

#[test]
fn the_signature_is_checked_before_anything_else() {
    let unnamed = headers(&[("x-hub-signature-256", &sign("other", BODY))]);
    assert_eq!(verifier(&[SECRET]).verify(&unnamed, BODY), Err(Refusal::BadSignature));
}

#[test]
fn debugging_shows_no_key() {
    assert_eq!(format!("{:?}", verifier(&[SECRET])), "Verifier { keys: 1 }");
}

proptest! {
    #[test]
    fn exactly_what_was_signed_gets_in(
        secret in "\\PC{1,80}",
        body in proptest::collection::vec(any::<u8>(), 0..2000),
        flip in any::<(prop::sample::Index, u8)>(),
        other in "\\PC{0,80}",
    ) {
        let verifier = verifier(&["an older secret", &secret]);
        let signature = sign(&secret, &body);
        prop_assert!(verifier.verify(&signed(&signature), &body).is_ok());

        // A different body, signature or secret, each with the smallest change.
        let mut longer = body.clone();
        longer.push(flip.1);
        prop_assert_eq!(verifier.verify(&signed(&signature), &longer), Err(Refusal::BadSignature));
        if !body.is_empty() {
            let mut changed = body.clone();
            changed[flip.0.index(body.len())] ^= 1 << (flip.1 % 8);
            prop_assert_eq!(verifier.verify(&signed(&signature), &changed), Err(Refusal::BadSignature));
        }
        let mut forged = hex::decode(&signature[7..]).expect("hex");
        forged[flip.0.index(32)] ^= 1 << (flip.1 % 8);
        let forged = format!("sha256={}", hex::encode(forged));
        prop_assert_eq!(verifier.verify(&signed(&forged), &body), Err(Refusal::BadSignature));
        if other != secret {
            prop_assert_eq!(verifier.verify(&signed(&sign(&other, &body)), &body), Err(Refusal::BadSignature));
        }
    }
}
