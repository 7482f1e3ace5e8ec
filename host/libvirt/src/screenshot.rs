//! Pictures of a guest's screen, as hypervisors give them, into PNG.
use crate::{Error, Result, Screenshot};

/// Bytes of a picture as it comes: twice a 4K screen of 3840 by 2160 with three bytes a pixel.
#[cfg(feature = "libvirt")]
pub(crate) const MAX_PICTURE: usize = 48 << 20;

/// The picture as PNG. QEMU gives PPM or PNG, the test driver PNG.
pub(crate) fn to_png(action: &str, picture: Vec<u8>) -> Result<Screenshot> {
    let broken = |message: String| Error::InvalidValue {
        action: action.to_owned(),
        message,
    };
    if picture.starts_with(b"\x89PNG\r\n\x1a\n") {
        let (width, height) = png_size(&picture).map_err(|error| broken(error.to_string()))?;
        return Ok(Screenshot {
            png: picture,
            width,
            height,
        });
    }
    let Some((width, height, pixels)) = ppm(&picture) else {
        return Err(broken(
            "the hypervisor's picture is neither PNG nor a whole PPM of 8 bits a colour".to_owned(),
        ));
    };
    let png = encode(width, height, pixels).map_err(|error| broken(error.to_string()))?;
    Ok(Screenshot { png, width, height })
}

fn png_size(picture: &[u8]) -> std::result::Result<(u32, u32), png::DecodingError> {
    let reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info()?;
    Ok((reader.info().width, reader.info().height))
}

fn encode(
    width: u32,
    height: u32,
    pixels: &[u8],
) -> std::result::Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

/// Width, height and pixels of a binary PPM (<https://netpbm.sourceforge.net/doc/ppm.html>) with
/// 255 as its largest value, the only one QEMU writes.
fn ppm(picture: &[u8]) -> Option<(u32, u32, &[u8])> {
    let mut rest = picture.strip_prefix(b"P6")?;
    let mut number = || -> Option<u32> {
        loop {
            match rest.first()? {
                b'#' => {
                    let end = rest.iter().position(|byte| *byte == b'\n')?;
                    rest = rest.get(end..)?;
                }
                byte if byte.is_ascii_whitespace() => rest = rest.get(1..)?,
                _ => break,
            }
        }
        let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, behind) = rest.split_at(end);
        rest = behind;
        std::str::from_utf8(digits).ok()?.parse().ok()
    };
    let (width, height, largest) = (number()?, number()?, number()?);
    // One character of white space, then the pixels.
    let pixels = rest.get(1..)?;
    let length = usize::try_from(
        u64::from(width)
            .checked_mul(u64::from(height))?
            .checked_mul(3)?,
    );
    (largest == 255 && width > 0 && height > 0)
        .then(|| pixels.get(..length.ok()?))
        .flatten()
        .map(|pixels| (width, height, pixels))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pixels(png: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        (info.width, info.height, bytes)
    }

    #[test]
    fn what_qemu_gives_becomes_png_with_the_same_pixels() {
        let mut ppm = b"P6\n# a comment\n2 1\n255\n".to_vec();
        ppm.extend_from_slice(&[255, 0, 0, 10, 20, 30]);
        let screenshot = to_png("look", ppm).unwrap();
        assert_eq!((screenshot.width, screenshot.height), (2, 1));
        assert_eq!(pixels(&screenshot.png), (2, 1, vec![255, 0, 0, 10, 20, 30]));
        // What is PNG already stays as it is.
        assert_eq!(to_png("look", screenshot.png.clone()).unwrap(), screenshot);
    }

    #[test]
    fn broken_pictures_are_errors() {
        for picture in [
            &b""[..],
            b"GIF89a",
            b"P6 2 2 255\n12345678901",
            b"P6 2 2 65535\n",
            b"P6 0 1 255\n",
            b"P6 4294967295 4294967295 255\n",
            b"P6 # no end",
            b"\x89PNG\r\n\x1a\nrubbish",
        ] {
            assert!(to_png("look", picture.to_vec()).is_err(), "{picture:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>, header in "P6[ 0-9\n#]{0,20}") {
            let _ = to_png("look", bytes.clone());
            let _ = to_png("look", [header.into_bytes(), bytes].concat());
        }
    }
}
