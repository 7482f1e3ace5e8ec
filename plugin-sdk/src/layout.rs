//! Writes an image that [`lvhost_image`] has laid out into the volume.

use crate::{Blob, Error, Host, Image, image};

/// Creates the volume as a raw image and fills it with what has been laid out.
///
/// `open` is asked for the body of each of the layout's files, by its number and one at a time.
///
/// # Errors
/// Those of the host and of `open`; [`Error::Other`] if a file has not the length it was laid out
/// with.
pub fn write_layout(
    host: &dyn Host,
    layout: &image::Image,
    mut open: impl FnMut(usize) -> Result<Blob, Error>,
) -> Result<(), Error> {
    let mut sink = host.create(&Image::raw(layout.length))?;
    for segment in &layout.segments {
        match segment {
            image::Segment::Bytes(bytes) => sink.write(bytes)?,
            image::Segment::Zeros(length) => sink.zeros(*length)?,
            image::Segment::File { index, length } => {
                let blob = open(*index)?;
                if blob.size() != *length {
                    return Err(Error::Other(format!(
                        "`{}` has changed while it was being read: it had {length} bytes, now it \
                         has {}",
                        blob.name(),
                        blob.size(),
                    )));
                }
                sink.copy_from(&blob, 0, *length)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, Piece};

    fn layout(length: u64) -> image::Image {
        image::Image {
            length: 2 + length + 3,
            segments: vec![
                image::Segment::Bytes(b"ab".to_vec()),
                image::Segment::File { index: 7, length },
                image::Segment::Zeros(3),
            ],
        }
    }

    #[test]
    fn files_are_spliced_and_holes_stay_holes() {
        let host = FakeHost::new().with_file("x", "x", b"file");
        write_layout(&host, &layout(4), |index| {
            assert_eq!(index, 7);
            host.files("x")?.open(0)
        })
        .unwrap();
        let written = host.written();
        assert_eq!(written.image, Image::raw(9));
        assert_eq!(
            written.pieces,
            [
                Piece::Bytes(b"ab".to_vec()),
                Piece::Splice(b"file".to_vec()),
                Piece::Zeros(3)
            ]
        );
    }

    #[test]
    fn a_file_that_grew_is_an_error() {
        let host = FakeHost::new().with_file("x", "x", b"file and more");
        let error = write_layout(&host, &layout(4), |_| host.files("x")?.open(0)).unwrap_err();
        assert!(
            error.message().contains("had 4 bytes, now it has 13"),
            "{}",
            error.message()
        );
    }
}
