//! COMPRESS=DEFLATE (RFC 4978): a transport whose contents are compressed.

use std::io::{self, Error, ErrorKind};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::sandbox::wire::Transport;

const CHUNK: usize = 16 * 1024;

pub(crate) struct Deflated {
    pub(crate) inner: Transport,
    inflate: Decompress,
    deflate: Compress,
    /// Compressed bytes that have arrived and are not inflated yet.
    arrived: Vec<u8>,
    /// Whether the last read filled its target, so that more may come without new bytes.
    unfinished: bool,
}

impl Deflated {
    /// `arrived` was read behind the command that began compression.
    pub(crate) fn new(inner: Transport, arrived: Vec<u8>) -> Deflated {
        let (inflate, deflate) =
            (Decompress::new(false), Compress::new(Compression::fast(), false));
        Deflated { inner, inflate, deflate, arrived, unfinished: false }
    }

    pub(crate) fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.unfinished || !self.arrived.is_empty() {
                let (taken, made) = (self.inflate.total_in(), self.inflate.total_out());
                let status = self
                    .inflate
                    .decompress(&self.arrived, target, FlushDecompress::Sync)
                    .map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
                let taken = (self.inflate.total_in() - taken) as usize;
                let made = (self.inflate.total_out() - made) as usize;
                self.arrived.drain(..taken);
                self.unfinished = made == target.len();
                if made > 0 || status == Status::StreamEnd {
                    return Ok(made);
                }
            }
            let mut chunk = [0; CHUNK];
            let count = self.inner.read(&mut chunk)?;
            if count == 0 {
                return Ok(0);
            }
            self.arrived.extend_from_slice(&chunk[..count]);
        }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut packed = Vec::new();
        let start = self.deflate.total_in();
        loop {
            packed.reserve(CHUNK);
            let taken = (self.deflate.total_in() - start) as usize;
            self.deflate
                .compress_vec(&bytes[taken..], &mut packed, FlushCompress::Sync)
                .map_err(Error::other)?;
            if packed.len() < packed.capacity() {
                return self.inner.write_all(&packed);
            }
        }
    }
}
