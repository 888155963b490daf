//! Damage in the middle of a file: what is left is right, and what is gone is counted.

use super::super::pages::crc;
use super::super::{Cause, Imported, Loss, describe};
use super::{bytes_of, imported};

/// The pages of an OGG, each by its bytes.
fn pages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut pages, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let segments = usize::from(bytes[at + 26]);
        let body: usize = bytes[at + 27..at + 27 + segments].iter().map(|&length| usize::from(length)).sum();
        pages.push(bytes[at..at + 27 + segments + body].to_vec());
        at += 27 + segments + body;
    }
    pages
}

/// Makes the checksum right again after a change.
fn sealed(mut page: Vec<u8>) -> Vec<u8> {
    page[22..26].fill(0);
    let sum = crc(0, &page);
    page[22..26].copy_from_slice(&sum.to_le_bytes());
    page
}

fn granule(page: &[u8]) -> u64 {
    u64::from_le_bytes(page[6..14].try_into().unwrap())
}

fn total(losses: &[Loss]) -> u64 {
    losses.iter().map(|loss| loss.frames.unwrap()).sum()
}

/// The frames of `damaged` are those of `whole` but for the missing ones, with `ring` frames of a codec's memory behind.
fn is_cut_out(damaged: &Imported, whole: &Imported, ring: usize) {
    let [loss] = damaged.losses.as_slice() else { panic!("{:?}", damaged.losses) };
    let (at, gone) = (loss.at_frame as usize, loss.frames.unwrap() as usize);
    let (x, y) = (&damaged.clip.channels[0], &whole.clip.channels[0]);
    assert_eq!(x.len() + gone, y.len(), "{loss}");
    assert!(x[..at].iter().zip(y).all(|(a, b)| (a - b).abs() < 1e-6), "{loss}: wrong before");
    assert!(
        x[at + ring..].iter().zip(&y[at + gone + ring..]).all(|(a, b)| (a - b).abs() < 1e-6),
        "{loss}: wrong behind"
    );
}

#[test]
fn a_lost_or_damaged_page_of_an_ogg_is_counted() {
    let bytes = bytes_of("pages.ogg");
    let (whole, all) = (imported("x.ogg", &bytes), pages(&bytes));
    assert!(all.len() > 8);
    for page in 3..all.len() - 2 {
        let mut lost = all.clone();
        lost.remove(page);
        let got = imported("x.ogg", &lost.concat());
        assert_eq!(total(&got.losses) + got.clip.frames() as u64, 16_000);
        // At least what the page held; a packet more, whose other half is missing.
        let held = granule(&all[page]) - granule(&all[page - 1]);
        assert!((held..held + 4_096).contains(&total(&got.losses)), "{held}: {:?}", got.losses);
        is_cut_out(&got, &whole, 0);
        let mut damaged = all.clone();
        let middle = damaged[page].len() / 2;
        damaged[page][middle] ^= 0x55;
        assert_eq!(imported("x.ogg", &damaged.concat()).losses, got.losses, "a wrong checksum");
    }
    // The last page but one, and the last.
    let mut lost = all.clone();
    lost.pop();
    let got = imported("x.ogg", &lost.concat());
    assert!(matches!(got.losses.as_slice(), [Loss { cause: Cause::EndsEarly, .. }]), "{:?}", got.losses);
}

#[test]
fn pages_without_a_position_lose_nothing() {
    let bytes = bytes_of("pages.ogg");
    let whole = imported("x.ogg", &bytes);
    let all = pages(&bytes);
    let last = all.len() - 1;
    let blind: Vec<_> = all
        .into_iter()
        .enumerate()
        .map(|(at, mut page)| {
            if at > 2 && at < last && at % 3 != 0 {
                page[6..14].fill(0xff);
            }
            sealed(page)
        })
        .collect();
    assert_eq!(imported("x.ogg", &blind.concat()), whole);
}

#[test]
fn the_last_page_says_where_the_sound_ends() {
    let mut all = pages(&bytes_of("pages.ogg"));
    let last = all.last_mut().unwrap();
    let end = granule(last) - 100;
    last[6..14].copy_from_slice(&end.to_le_bytes());
    *last = sealed(last.clone());
    let got = imported("x.ogg", &all.concat());
    assert_eq!((got.clip.frames() as u64, got.losses.len()), (end, 0));
}

#[test]
fn chained_streams_of_one_layout_are_one_recording() {
    let (one, flac) = (bytes_of("pages.ogg"), bytes_of("quarter.oga"));
    let got = imported("x.ogg", &[one.clone(), one.clone(), bytes_of("tone.ogg"), flac].concat());
    assert_eq!((got.clip.frames(), got.losses.len()), (16_000 + 16_000 + 4_000 + 4_000, 0), "{:?}", got.losses);
    let single = imported("x.ogg", &one);
    assert_eq!(got.clip.channels[0][16_000..32_000], single.clip.channels[0]);
}

#[test]
fn bad_bytes_in_a_flac_cost_the_frames_that_they_hit() {
    let bytes = bytes_of("tone.flac");
    let whole = imported("x.flac", &bytes);
    for at in [8_900, 9_700, 10_500, 11_300] {
        let mut damaged = bytes.clone();
        damaged[at..at + 300].iter_mut().for_each(|byte| *byte ^= 0x3c);
        let got = imported("x.flac", &damaged);
        assert!(matches!(total(&got.losses), 576 | 1_152), "{:?}", got.losses);
        is_cut_out(&got, &whole, 0);
    }
    // In the last frame there is no other behind it to tell.
    let mut damaged = bytes.clone();
    let at = bytes.len() - 400;
    damaged[at..at + 300].fill(0x11);
    let got = imported("x.flac", &damaged);
    assert_eq!(total(&got.losses) + got.clip.frames() as u64, 4_000);
    assert!(!got.losses.is_empty());
}

#[test]
fn a_wrong_checksum_of_the_sound_is_told() {
    let mut bytes = bytes_of("tone.flac");
    bytes[26] ^= 1;
    let got = imported("x.flac", &bytes);
    assert_eq!(got.clip.frames(), 4_000);
    assert_eq!(got.losses, [Loss { at_frame: 4_000, frames: Some(0), cause: Cause::Checksum }]);
}

#[test]
fn bad_bytes_in_an_mp3_are_counted() {
    let bytes = bytes_of("second.mp3");
    for at in [1_000, 2_000, 3_000] {
        let mut damaged = bytes.clone();
        damaged[at..at + 300].fill(0);
        let got = imported("x.mp3", &damaged);
        let gone = total(&got.losses);
        // 300 bytes are two frames of 144 and a bit.
        assert!((576..=4 * 576).contains(&gone), "{:?}", got.losses);
        assert!(got.losses.iter().all(|loss| loss.at_frame > 0 && loss.at_frame < 16_000));
        assert!((got.clip.frames() as u64 + gone).abs_diff(16_000) <= 576, "{} and {gone}", got.clip.frames());
    }
}

#[test]
fn bad_bytes_in_aac_are_counted() {
    let bytes = bytes_of("second.aac");
    let whole = imported("x.aac", &bytes).clip.frames() as u64;
    let mut damaged = bytes.clone();
    damaged[3_000..3_300].fill(0);
    let got = imported("x.aac", &damaged);
    assert!(total(&got.losses) >= 1_024, "{:?}", got.losses);
    assert!((got.clip.frames() as u64 + total(&got.losses)).abs_diff(whole) <= 1_024, "{:?}", got.losses);
}

#[test]
fn many_losses_are_told_in_a_few_lines() {
    let losses: Vec<_> = (0..9)
        .map(|place| Loss {
            at_frame: place * 1_000,
            frames: Some(10),
            cause: Cause::Damaged { what: "a damaged frame" },
        })
        .collect();
    let lines = describe(&losses);
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[1], "10 frames are missing at frame 1000 (a damaged frame)");
    assert_eq!(lines[4], "and 5 more places with 50 missing frames in all");
    assert!(describe(&[]).is_empty());
}

/// Cut off at every byte, every file gives frames or a sentence.
#[test]
fn files_cut_off_anywhere_cost_a_sentence_at_most() {
    use super::super::import;
    let dir = tempfile::tempdir().unwrap();
    let stride = std::env::var("CONTINUO_CUT_STRIDE").ok().and_then(|n| n.parse().ok()).unwrap_or(97);
    for entry in std::fs::read_dir(super::fixture("")).unwrap() {
        let path = entry.unwrap().path();
        let (name, whole) = (path.file_name().unwrap().to_owned(), std::fs::read(&path).unwrap());
        let cut_path = dir.path().join(&name);
        let heads = 0..whole.len().min(64);
        for cut in heads.chain((64..whole.len()).step_by(stride)) {
            std::fs::write(&cut_path, &whole[..cut]).unwrap();
            if let Err(e) = import(&cut_path, 60.0) {
                assert!(e.to_string().contains(name.to_str().unwrap()), "{e}");
            }
        }
    }
}
