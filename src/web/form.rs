//! Tokens of forms, masked anew for each page: whoever sees the lengths of compressed pages, in which
//! others wrote titles, learns nothing of a token that is never written twice alike (BREACH).

use rand::RngExt as _;

/// Returns a token's bytes under a new mask, as hexadecimal digits: the mask, then the masked bytes.
pub(super) fn masked(token: &str) -> String {
    let mask: Vec<u8> = token.bytes().map(|_| rand::rng().random()).collect();
    let hidden: Vec<u8> = token.bytes().zip(&mask).map(|(byte, mask)| byte ^ mask).collect();
    hex::encode(mask) + &hex::encode(hidden)
}

/// Returns the token under a mask; `None` if there is none.
pub(super) fn unmasked(text: &str) -> Option<String> {
    let bytes = hex::decode(text).ok().filter(|bytes| bytes.len().is_multiple_of(2))?;
    let (mask, hidden) = bytes.split_at(bytes.len() / 2);
    String::from_utf8(mask.iter().zip(hidden).map(|(mask, byte)| mask ^ byte).collect()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_looks_different_each_time_and_comes_back() {
        let token = "00ff00ff00ff00ff00ff00ff00ff00ff";
        let (one, other) = (masked(token), masked(token));
        assert_ne!(one, other);
        assert!(!one.contains(token));
        assert_eq!([unmasked(&one).as_deref(), unmasked(&other).as_deref()], [Some(token); 2]);
        assert_eq!([unmasked("xyz"), unmasked("abc"), unmasked("00ff")], [None, None, None]);
        assert_eq!(unmasked(""), Some(String::new()));
    }
}
