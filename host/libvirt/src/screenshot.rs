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
