//! Compresses bodies with zstd: bytes written cost a store more than anything else.

use std::cell::RefCell;

use bytes::Bytes;
use zstd::bulk::Compressor;

use crate::port::store::StoreError;

/// The fastest level. A higher one saves little on JSON of this size.
const LEVEL: i32 = 1;

/// Size from which compression moves off the threads that serve connections (bytes).
const LARGE: usize = 256 * 1024;

/// A compressed body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed {
    /// Size before compression (bytes).
    pub(super) size: usize,
    /// One zstd frame.
    pub(super) frame: Vec<u8>,
}

/// Compresses a body on the caller's side, before it reaches the store's writer.
pub(super) async fn pack(body: Bytes) -> Result<Packed, StoreError> {
    if body.len() < LARGE {
        return pack_here(&body);
    }
    match tokio::task::spawn_blocking(move || pack_here(&body)).await {
        Ok(packed) => packed,
        Err(stopped) => Err(StoreError::Unavailable(stopped.to_string())),
    }
}

fn pack_here(body: &[u8]) -> Result<Packed, StoreError> {
    thread_local! {
        /// Reused, since making a compressor costs more than compressing a usual body.
        static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    }
    let frame = COMPRESSOR.with_borrow_mut(|kept| match kept {
        Some(compressor) => compressor.compress(body),
        None => kept.insert(Compressor::new(LEVEL)?).compress(body),
    });
    match frame {
        Ok(frame) => Ok(Packed { size: body.len(), frame }),
        Err(failed) => Err(StoreError::Unavailable(format!("can't pack a body: {failed}"))),
    }
}

/// Decompresses a body that was `size` bytes long.
pub(super) fn unpack(frame: &[u8], size: usize) -> Result<Bytes, StoreError> {
    let body = zstd::bulk::decompress(frame, size)
        .map_err(|failed| StoreError::Corrupt(format!("a packed body: {failed}")))?;
    if body.len() != size {
        return Err(StoreError::Corrupt(format!("a packed body has {} bytes, not {size}", body.len())));
    }
    Ok(body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_size_comes_back() {
        for size in [0, 1, 11_600, LARGE, LARGE + 1, 3 * 1024 * 1024] {
            let body: Vec<u8> = (0..size).map(|n| u8::try_from(n * n % 251).unwrap()).collect();
            let packed = pack(body.clone().into()).await.unwrap();
            assert_eq!(unpack(&packed.frame, packed.size).unwrap(), body);
        }
    }

    #[test]
    fn a_damaged_frame_is_an_error() {
        let packed = pack_here(b"{\"action\":\"opened\"}").unwrap();
        assert!(matches!(unpack(&packed.frame[1..], packed.size), Err(StoreError::Corrupt(_))));
        assert!(matches!(unpack(&packed.frame, packed.size + 1), Err(StoreError::Corrupt(_))));
        assert!(matches!(unpack(&packed.frame, packed.size - 1), Err(StoreError::Corrupt(_))));
    }
}
