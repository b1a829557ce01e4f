//! A request's body as an adapter may look at it: whole, unpacked, and never larger than its limit.

use std::io::Read;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};

/// Why a body isn't looked at. Says nothing of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateways) enum Unread {
    /// Larger than the limit, packed or unpacked.
    TooLarge,
    /// An encoding that isn't known, or one that is broken.
    Encoding,
    /// The sender went away.
    Broken,
}

impl Unread {
    pub fn status(self) -> StatusCode {
        match self {
            Unread::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Unread::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Unread::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// A body as it came.
pub(in crate::gateways) struct Packed {
    bytes: Vec<u8>,
    is_gzip: bool,
}

/// The body without its Content-Encoding, which may be `identity` or `gzip`; at most `limit` bytes before and after.
pub(in crate::gateways) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<Vec<u8>, Unread> {
    receive(headers, body, limit).await?.unpack(limit)
}

/// As [`read`], for those who unpack it when there is room.
pub(in crate::gateways) async fn receive(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<Packed, Unread> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let encoding = encodings.next().map(|value| value.as_bytes().to_ascii_lowercase());
    if encodings.next().is_some() {
        return Err(Unread::Encoding);
    }
    let is_gzip = match encoding.as_deref() {
        None | Some(b"" | b"identity") => false,
        Some(b"gzip" | b"x-gzip") => true,
        Some(_) => return Err(Unread::Encoding),
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Unread::TooLarge);
    }
    let bytes = to_bytes(body, limit).await.map_err(|error| {
        // axum says no more of it than in its source.
        let too_large =
            std::error::Error::source(&error).is_some_and(|s| s.to_string().contains("length limit"));
        if too_large { Unread::TooLarge } else { Unread::Broken }
    })?;
    Ok(Packed { bytes: bytes.to_vec(), is_gzip })
}

impl Packed {
    /// Its bytes without the encoding, at most `limit`.
    pub fn unpack(self, limit: usize) -> Result<Vec<u8>, Unread> {
        if self.is_gzip { unpack(&self.bytes, limit) } else { Ok(self.bytes) }
    }
}

fn unpack(packed: &[u8], limit: usize) -> Result<Vec<u8>, Unread> {
    let mut out = Vec::new();
    // All members: what a reader of the first alone doesn't see would go on unseen.
    let unpacked = flate2::read::MultiGzDecoder::new(packed).take(limit as u64 + 1).read_to_end(&mut out);
    unpacked.map_err(|_| Unread::Encoding)?;
    if out.len() > limit { Err(Unread::TooLarge) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    async fn read_as(encoding: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Unread> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
        read(&headers, Body::from(bytes), 1000).await
    }

    #[tokio::test]
    async fn a_body_is_unpacked_within_its_limit() {
        assert_eq!(read_as("gzip", gzip(b"text")).await.unwrap(), b"text");
        assert_eq!(read_as("GZIP", [gzip(b"one"), gzip(b"two")].concat()).await.unwrap(), b"onetwo");
        assert_eq!(read_as("identity", b"text".into()).await.unwrap(), b"text");
        assert_eq!(read_as("gzip", gzip(&[0; 1001])).await, Err(Unread::TooLarge));
        assert_eq!(read_as("identity", vec![0; 1001]).await, Err(Unread::TooLarge));
        for (encoding, body) in [("br", b"x".to_vec()), ("gzip, gzip", gzip(b"x")), ("gzip", b"x".to_vec())] {
            assert_eq!(read_as(encoding, body).await, Err(Unread::Encoding), "{encoding}");
        }
    }
}
