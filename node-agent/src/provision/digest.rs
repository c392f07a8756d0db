//! What a file's content is known by.

use std::io::{self, Read};

use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

/// The length and the SHA-256 of a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digest {
    len: u64,
    sha256: [u8; SHA256_OUTPUT_LEN],
}

impl Digest {
    pub(super) fn of(content: &mut impl Read) -> io::Result<Self> {
        let mut hash = Context::new(&SHA256);
        let mut len = 0;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    hash.update(&buffer[..count]);
                    len += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut sha256 = [0; SHA256_OUTPUT_LEN];
        sha256.copy_from_slice(hash.finish().as_ref());
        Ok(Self { len, sha256 })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }
}
