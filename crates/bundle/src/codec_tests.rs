//! Every codec: round trips, and what a hostile sender may try.

use super::*;
use proptest::prelude::*;

const MIB: usize = 1024 * 1024;
const CODECS: [(Codec, Compression); 2] = [(Codec::Zstd, Compression::Zstd), (Codec::Gzip, Compression::Gzip)];

fn encode(plain: &[u8], compression: Compression) -> (Codec, Vec<u8>) {
    super::encode(plain.to_vec(), &[], compression, Effort::Fast).unwrap()
}

#[test]
fn text_is_compressed_and_noise_is_stored() {
    let noise: Vec<u8> = (0..200_u8).collect();
    for (codec, compression) in CODECS {
        let text = b"{\"role\":\"user\"}\n".repeat(100);
        let (chosen, encoded) = encode(&text, compression);
        assert_eq!(chosen, codec);
        assert_eq!(decode(chosen, encoded, text.len(), &[]), Ok(text));
        assert_eq!(encode(&noise, compression), (Codec::Stored, noise.clone()));
    }
}

#[test]
fn a_codec_number_of_another_version_is_unknown() {
    assert_eq!(Codec::from_number(4), None);
}

#[test]
fn a_bomb_is_refused_at_the_announced_length() {
    for (codec, compression) in CODECS {
        let (_, bomb) = encode(&vec![0; 64 * MIB], compression);
        assert!(bomb.len() < 70_000);
        assert!(decode(codec, bomb, 1000, &[]).is_err(), "{codec:?}");
    }
}

#[test]
fn a_bomb_that_hides_its_length_is_refused() {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    for _ in 0..64 {
        encoder.write_all(&vec![0; MIB]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert_eq!(check_frame(&bomb, 1000), Ok(()), "a frame need not announce its length");
    assert_eq!(decode(Codec::Zstd, bomb, 1000, &[]), Err(DecodeError::Damaged));
}

#[test]
fn fewer_bytes_than_announced_are_refused() {
    let plain = vec![b'a'; 1000];
    let (_, gzipped) = encode(&plain, Compression::Gzip);
    assert_eq!(decode(Codec::Gzip, gzipped, 1001, &[]), Err(DecodeError::Length));
    let (_, framed) = encode(&plain, Compression::Zstd);
    assert_eq!(decode(Codec::Zstd, framed, 1001, &[]), Err(DecodeError::Frame(FrameError::Length)));
    assert_eq!(decode(Codec::Stored, plain, 1001, &[]), Err(DecodeError::Length));
}

#[test]
fn skippable_frames_and_trailing_bytes_are_refused() {
    let plain = vec![b'a'; 1000];
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
    let (_, frame) = encode(&plain, Compression::Zstd);
    let before = [&skippable[..], &frame].concat();
    assert_eq!(decode(Codec::Zstd, before, 1000, &[]), Err(DecodeError::Frame(FrameError::Magic)));
    for after in [&skippable[..], &frame, b"\0"] {
        assert_eq!(decode(Codec::Zstd, [&frame[..], after].concat(), 1000, &[]), Err(DecodeError::Trailing));
    }
    let (_, member) = encode(&plain, Compression::Gzip);
    for after in [&member[..], b"\0"] {
        assert_eq!(decode(Codec::Gzip, [&member[..], after].concat(), 1000, &[]), Err(DecodeError::Trailing));
    }
}

#[test]
fn a_large_window_a_dictionary_and_the_reserved_bit_are_refused() {
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    let check = |header: &[u8]| check_frame(&[&magic, header].concat(), 7);
    assert_eq!(check(&[0x00, 13 << 3]), Ok(()), "2^23");
    assert_eq!(check(&[0x00, 13 << 3 | 1]), Err(FrameError::Window), "2^23 and an eighth");
    assert_eq!(check(&[0x00, 0xff]), Err(FrameError::Window));
    assert_eq!(check(&[0x01, 0x00, 0x01]), Err(FrameError::Dictionary));
    assert_eq!(check(&[0x08, 0x00]), Err(FrameError::Header));
    assert_eq!(check(&[0x20, 7]), Ok(()));
    assert_eq!(check(&[0x20, 8]), Err(FrameError::Length));
    assert_eq!(check(&[0xa0, 7, 0, 0, 0]), Ok(()));
    assert_eq!(check(&[0xa0, 7, 0, 0]), Err(FrameError::Header));
}

#[test]
fn a_flipped_checksum_of_a_member_is_refused() {
    let (_, mut member) = encode(&vec![b'a'; 1000], Compression::Gzip);
    let crc = member.len() - 8;
    member[crc] ^= 1;
    assert_eq!(decode(Codec::Gzip, member, 1000, &[]), Err(DecodeError::Damaged));
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(plain in prop::collection::vec(0..4_u8, 1..2000)) {
        for (_, compression) in CODECS {
            let (codec, encoded) = encode(&plain, compression);
            prop_assert_eq!(decode(codec, encoded, plain.len(), &[]), Ok(plain.clone()));
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(encoded: Vec<u8>, plain_len in 0..5000_usize) {
        for codec in [Codec::Stored, Codec::Zstd, Codec::Gzip] {
            if let Ok(plain) = decode(codec, encoded.clone(), plain_len, &[]) {
                prop_assert_eq!(plain.len(), plain_len);
            }
        }
    }
}
