//! Packings that are known by how they begin, and aren't unpacked: what lies in them wasn't searched.

/// How archives, packed files and PDF begin. ZIP and gzip, too: they are unpacked only where they are the file itself.
const KNOWN: [&[u8]; 11] = [
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"BZh",
    b"7z\xbc\xaf\x27\x1c",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"Rar!",
    b"MSCF",
    b"%PDF",
];
const LONGEST: usize = 6;

/// The first bytes of something.
#[derive(Default)]
pub struct Beginning(Vec<u8>);

impl Beginning {
    pub fn feed(&mut self, bytes: &[u8]) {
        let room = LONGEST - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub fn is_packed(&self) -> bool {
        KNOWN.iter().any(|known| self.0.starts_with(known))
    }
}

/// Looks for an archive that stands behind something else, as in programs that unpack themselves.
#[derive(Default)]
pub struct Behind {
    last: [u8; 4],
    pub found: bool,
}

impl Behind {
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.last = [self.last[1], self.last[2], self.last[3], *byte];
            // The mark of an archive's end: whoever opens it looks for this.
            self.found |= self.last == *b"PK\x05\x06";
        }
    }
}
