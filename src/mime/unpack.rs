//! Turns the bytes of one part into files: holds back the last line break, undoes the transfer
//! encoding and finds uuencoded files.

use super::decoding::Decoder;
use super::extract::Files;
use super::parse::PARTS;
use super::uu_lines::{Uu, UuLines};
use std::io;

/// The destination for files, and the number of files.
#[derive(Debug)]
pub(super) struct Output<F> {
    pub(super) files: F,
    next: usize,
    /// Files that have ended and are attachments.
    whole: usize,
}

impl<F: Files> Output<F> {
    pub(super) fn new(files: F) -> Self {
        Output { files, next: 0, whole: 0 }
    }

    /// The number of the new file; `None` if there are too many.
    fn begin(&mut self, name: Option<&str>, content_type: &str) -> io::Result<Option<usize>> {
        if self.whole >= PARTS {
            return Ok(None);
        }
        self.next += 1;
        self.files.begin(self.next - 1, name, content_type)?;
        Ok(Some(self.next - 1))
    }

    fn write(&mut self, file: Option<usize>, bytes: &[u8]) -> io::Result<()> {
        file.map_or(Ok(()), |file| self.files.write(file, bytes))
    }

    fn end(&mut self, file: Option<usize>) -> io::Result<()> {
        self.whole += usize::from(file.is_some());
        file.map_or(Ok(()), |file| self.files.end(file))
    }

    fn discard(&mut self, file: Option<usize>) {
        if let Some(file) = file {
            self.files.discard(file);
        }
    }
}

/// The body of a part.
#[derive(Debug)]
pub(super) struct Body {
    /// A line break that belongs to the delimiter if one follows.
    held: Vec<u8>,
    decoder: Decoder,
    decoded: Vec<u8>,
    to: Drain,
}

#[derive(Debug)]
enum Drain {
    File(Option<usize>),
    /// The first uuencoded file in the body; if there is none, the whole body.
    Uuencoded {
        all: Option<usize>,
        name: Option<String>,
        content_type: String,
        found: UuFile,
    },
    /// A text that may contain files.
    Text(Text),
    /// A text that is itself the first uuencoded file of the body and may contain files. Those
    /// files are discarded if it has no end.
    UuencodedText {
        lines: UuLines,
        is_done: bool,
        text: Text,
    },
}

impl Body {
    fn new(decoder: Decoder, to: Drain) -> Body {
        Body { held: Vec::new(), decoder, decoded: Vec::new(), to }
    }

    pub(super) fn file<F: Files>(
        out: &mut Output<F>,
        name: Option<String>,
        content_type: &str,
        encoding: &str,
    ) -> io::Result<Body> {
        let file = out.begin(name.as_deref(), content_type)?;
        Ok(if is_uuencode(encoding) {
            let content_type = content_type.to_owned();
            Body::new(
                Decoder::Identity,
                Drain::Uuencoded { all: file, name, content_type, found: UuFile::default() },
            )
        } else {
            Body::new(Decoder::of(encoding), Drain::File(file))
        })
    }

    pub(super) fn text(encoding: &str) -> Body {
        if is_uuencode(encoding) {
            let to = Drain::UuencodedText {
                lines: UuLines::default(),
                is_done: false,
                text: Text::default(),
            };
            return Body::new(Decoder::Identity, to);
        }
        Body::new(Decoder::of(encoding), Drain::Text(Text::default()))
    }

    pub(super) fn push<F: Files>(&mut self, bytes: &[u8], out: &mut Output<F>) -> io::Result<()> {
        if bytes == b"\n" && self.held == b"\r" {
            self.held.push(b'\n');
            return Ok(());
        }
        // A CR may be the first half of a line break.
        let kept = match bytes {
            [.., b'\r', b'\n'] => 2,
            [.., b'\r' | b'\n'] => 1,
            [] => return Ok(()),
            _ => 0,
        };
        let (now, later) = bytes.split_at(bytes.len() - kept);
        let mut held = std::mem::take(&mut self.held);
        self.decode(&held, out)?;
        self.decode(now, out)?;
        held.clear();
        held.extend_from_slice(later);
        self.held = held;
        Ok(())
    }

    /// Ends the part.
    pub(super) fn finish<F: Files>(
        mut self,
        by_delimiter: bool,
        out: &mut Output<F>,
    ) -> io::Result<()> {
        if !by_delimiter {
            let held = std::mem::take(&mut self.held);
            self.decode(&held, out)?;
        }
        self.decoded.clear();
        self.decoder.finish(&mut self.decoded);
        self.to.write(&self.decoded, out)?;
        self.to.finish(out)
    }

    /// Drops the body: the part is not a file.
    pub(super) fn discard<F: Files>(self, out: &mut Output<F>) {
        if let Drain::File(file) = self.to {
            out.discard(file);
        }
    }

    fn decode<F: Files>(&mut self, bytes: &[u8], out: &mut Output<F>) -> io::Result<()> {
        if let Decoder::Identity = self.decoder {
            return self.to.write(bytes, out);
        }
        self.decoded.clear();
        self.decoder.decode(bytes, &mut self.decoded);
        self.to.write(&self.decoded, out)
    }
}

fn is_uuencode(encoding: &str) -> bool {
    matches!(encoding, "x-uuencode" | "uuencode" | "x-uue" | "uue")
}

impl Drain {
    fn write<F: Files>(&mut self, bytes: &[u8], out: &mut Output<F>) -> io::Result<()> {
        match self {
            Drain::File(file) => out.write(*file, bytes),
            Drain::Uuencoded { all, name, content_type, found } => {
                out.write(*all, bytes)?;
                found.lines.push(bytes, &mut |event| {
                    found.file.take_first(event, name.as_deref(), content_type, out)
                })
            }
            Drain::Text(text) => text.push(bytes, out),
            Drain::UuencodedText { lines, is_done, text } => {
                lines.push(bytes, &mut |event| text.take(event, is_done, out))
            }
        }
    }

    fn finish<F: Files>(self, out: &mut Output<F>) -> io::Result<()> {
        match self {
            Drain::File(file) => out.end(file),
            Drain::Uuencoded { all, name, content_type, mut found } => {
                found.lines.finish(&mut |event| {
                    found.file.take_first(event, name.as_deref(), &content_type, out)
                })?;
                match found.file {
                    Candidate::Whole(file) => {
                        out.discard(all);
                        out.end(file)
                    }
                    _ => out.end(all),
                }
            }
            Drain::Text(mut text) => text.finish(out),
            Drain::UuencodedText { mut lines, mut is_done, mut text } => {
                lines.finish(&mut |event| text.take(event, &mut is_done, out))
            }
        }
    }
}

/// Finds the first uuencoded file in the input.
#[derive(Debug, Default)]
struct UuFile {
    lines: UuLines,
    file: Candidate,
}

#[derive(Debug, Default)]
enum Candidate {
    #[default]
    None,
    Coming(Option<usize>),
    Whole(Option<usize>),
}

impl Candidate {
    fn take_first<F: Files>(
        &mut self,
        event: Uu<'_>,
        name: Option<&str>,
        content_type: &str,
        out: &mut Output<F>,
    ) -> io::Result<()> {
        match (&*self, event) {
            (Candidate::None, Uu::Begin(_)) => {
                *self = Candidate::Coming(out.begin(name, content_type)?)
            }
            (Candidate::Coming(file), Uu::Bytes(bytes)) => out.write(*file, bytes)?,
            (Candidate::Coming(file), Uu::End) => *self = Candidate::Whole(*file),
            (Candidate::Coming(file), Uu::Broken) => {
                out.discard(*file);
                *self = Candidate::None;
            }
            _ => {}
        }
        Ok(())
    }
}

/// A text that may contain uuencoded files.
#[derive(Debug, Default)]
struct Text {
    lines: UuLines,
    files: TextFiles,
}

#[derive(Debug, Default)]
struct TextFiles {
    coming: Option<usize>,
    /// Files that have ended but may still be discarded.
    ended: Vec<usize>,
    may_be_none: bool,
}

impl Text {
    fn push<F: Files>(&mut self, bytes: &[u8], out: &mut Output<F>) -> io::Result<()> {
        let Text { lines, files } = self;
        lines.push(bytes, &mut |event| files.take(event, out))
    }

    fn finish<F: Files>(&mut self, out: &mut Output<F>) -> io::Result<()> {
        let Text { lines, files } = self;
        lines.finish(&mut |event| files.take(event, out))
    }

    /// Handles a line event of a text that is itself uuencoded.
    fn take<F: Files>(
        &mut self,
        event: Uu<'_>,
        is_done: &mut bool,
        out: &mut Output<F>,
    ) -> io::Result<()> {
        match event {
            _ if *is_done => Ok(()),
            Uu::Begin(_) => {
                *self = Text::default();
                self.files.may_be_none = true;
                Ok(())
            }
            Uu::Bytes(bytes) => self.push(bytes, out),
            Uu::End => {
                *is_done = true;
                self.finish(out)
            }
            Uu::Broken => {
                out.discard(self.files.coming.take());
                out.whole -= self.files.ended.len();
                self.files.ended.drain(..).for_each(|file| out.discard(Some(file)));
                Ok(())
            }
        }
    }
}

impl TextFiles {
    fn take<F: Files>(&mut self, event: Uu<'_>, out: &mut Output<F>) -> io::Result<()> {
        match event {
            Uu::Begin(name) => self.coming = out.begin(Some(&name), "application/octet-stream")?,
            Uu::Bytes(bytes) => out.write(self.coming, bytes)?,
            Uu::End => {
                let file = self.coming.take();
                self.ended.extend(file.filter(|_| self.may_be_none));
                out.end(file)?;
            }
            Uu::Broken => out.discard(self.coming.take()),
        }
        Ok(())
    }
}
